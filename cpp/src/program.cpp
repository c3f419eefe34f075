#include <lawfit/expression/program.hpp>

#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace lawfit {
namespace {

const char* const names[] = {
#define LAWFIT_NAME(name) #name,
    LAWFIT_UNARY_OPCODES(LAWFIT_NAME) LAWFIT_BINARY_OPCODES(LAWFIT_NAME)
        LAWFIT_TERM_OPCODES(LAWFIT_NAME)
#undef LAWFIT_NAME
};

// Calls `on_uniform(slot)` and `on_operand(id)` for every operand of the operation that is not -1.
template <class OnUniform, class OnOperand>
void visit(const Operation& op, OnUniform on_uniform, OnOperand on_operand) {
    const auto& a = op.operands;
    const auto uniform = [&](int slot) {
        if (slot != -1) on_uniform(slot);
    };
    std::size_t i = 0;
    if (op.code == Opcode::affine_) {
        uniform(a[i++]);
    } else if (op.code == Opcode::logsumexp_) {
        const std::size_t fixed = static_cast<std::size_t>(a[i++]);
        for (; i < 1 + 2 * fixed; ++i) uniform(a[i]);
    } else {
        for (; i < a.size(); ++i) on_operand(a[i]);
        return;
    }
    for (; i + 1 < a.size(); i += 2) {
        uniform(a[i]);
        on_operand(a[i + 1]);
    }
}

bool well_formed(const Operation& op) {
    const std::size_t n = op.operands.size();
    if (is_unary(op.code)) return n == 1;
    if (is_binary(op.code)) return n == 2;
    switch (op.code) {
        case Opcode::where_: return n == 3;
        case Opcode::affine_: return n % 2 == 1;
        case Opcode::logsumexp_: {
            if (n == 0 || op.operands[0] < 0) return false;
            const std::size_t fixed = static_cast<std::size_t>(op.operands[0]);
            return fixed <= n && n >= 1 + 2 * fixed && n % 2 == 1 && n > 1;
        }
        default: return false;
    }
}

void check(const std::vector<Operation>& operations, const char* section, int first_result,
           int slots, bool operands_are_uniform) {
    int next = first_result;
    for (const Operation& op : operations) {
        const auto fail = [&](const std::string& what) {
            throw std::invalid_argument("program: " + std::string(section) + " operation " +
                                        std::to_string(next - first_result) + " (" +
                                        opcode_name(op.code) + "): " + what);
        };
        if (!well_formed(op)) fail("wrong number of operands");
        const int uniform_limit = operands_are_uniform ? next : slots;
        visit(
            op,
            [&](int slot) {
                if (slot < 0 || slot >= uniform_limit)
                    fail("uniform slot " + std::to_string(slot) + " does not exist");
            },
            [&](int id) {
                if (id < 0 || id >= next) fail("operand " + std::to_string(id) + " does not exist");
            });
        ++next;
    }
}

}  // namespace

const char* opcode_name(Opcode code) {
    const int i = static_cast<int>(code);
    return i >= 0 && i < static_cast<int>(Opcode::count_) ? names[i] : "unknown";
}

Opcode opcode_from_name(const std::string& name) {
    for (int i = 0; i < static_cast<int>(Opcode::count_); ++i)
        if (name == names[i]) return static_cast<Opcode>(i);
    return Opcode::count_;
}

Program::Program(Parts parts) : parts_(std::move(parts)) {
    check(parts_.data_operations, "data", column_count(), first_uniform_operation(), false);
    check(parts_.uniform_operations, "uniform", first_uniform_operation(), 0, true);
    check(parts_.row_operations, "row", first_register(), slot_count(), false);
    const int last = first_register() + static_cast<int>(parts_.row_operations.size());
    if (parts_.output < 0 || parts_.output >= last)
        throw std::invalid_argument("program: output " + std::to_string(parts_.output) +
                                    " does not exist");
    for (const Operation& op : parts_.data_operations)
        visit(
            op,
            [&](int slot) {
                if (slot < parameter_count())
                    throw std::invalid_argument("program: a data operation reads a parameter");
            },
            [](int) {});

    std::vector<char> depends(static_cast<std::size_t>(slot_count()), 0);  // on a parameter
    for (int s = 0; s < parameter_count(); ++s) depends[static_cast<std::size_t>(s)] = 1;
    int slot = first_uniform_operation();
    for (const Operation& op : parts_.uniform_operations) {
        char d = 0;
        const auto see = [&](int s) { d |= depends[static_cast<std::size_t>(s)]; };
        visit(op, see, see);
        depends[static_cast<std::size_t>(slot++)] = d;
    }

    leaf_of_slot_.assign(static_cast<std::size_t>(slot_count()), -1);
    column_is_read_.assign(static_cast<std::size_t>(first_register()), 0);
    if (parts_.output < first_register())
        column_is_read_[static_cast<std::size_t>(parts_.output)] = 1;
    for (const Operation& op : parts_.row_operations) {
        char d = 0;
        visit(
            op,
            [&](int s) {
                const auto i = static_cast<std::size_t>(s);
                if (!depends[i]) return;
                d = 1;
                if (leaf_of_slot_[i] < 0) {
                    leaf_of_slot_[i] = static_cast<int>(leaves_.size());
                    leaves_.push_back(s);
                }
            },
            [&](int id) {
                if (id < first_register())
                    column_is_read_[static_cast<std::size_t>(id)] = 1;
                else
                    d |= active_[static_cast<std::size_t>(id - first_register())];
            });
        active_.push_back(op.code == Opcode::still_ ? 0 : d);
    }
}

std::string Program::disassemble() const {
    std::ostringstream out;
    const auto slot_name = [&](int s) -> std::string {
        if (s < 0) return "1";
        if (s < parameter_count()) return parts_.parameters[static_cast<std::size_t>(s)];
        if (s < first_uniform_operation()) {
            char text[32];
            std::snprintf(text, sizeof text, "%.17g",
                          parts_.constants[static_cast<std::size_t>(s - parameter_count())]);
            return text;
        }
        return "u" + std::to_string(s - first_uniform_operation());
    };
    const auto id_name = [&](int id) -> std::string {
        if (id < column_count()) return parts_.columns[static_cast<std::size_t>(id)];
        if (id < first_register()) return "d" + std::to_string(id - column_count());
        return "r" + std::to_string(id - first_register());
    };
    const auto section = [&](const std::vector<Operation>& operations, const char* prefix,
                             bool uniform) {
        int k = 0;
        for (const Operation& op : operations) {
            const auto operand_name = [&](int i) { return uniform ? slot_name(i) : id_name(i); };
            const auto& a = op.operands;
            out << prefix << k++ << " = ";
            std::string separator;
            if (op.code == Opcode::affine_ || op.code == Opcode::logsumexp_) {
                const bool lse = op.code == Opcode::logsumexp_;
                std::size_t i = 1;
                if (lse) out << "logsumexp(";
                if (!lse && a[0] >= 0) {
                    out << slot_name(a[0]);
                    separator = " + ";
                }
                if (lse)
                    for (; i < 1 + 2 * static_cast<std::size_t>(a[0]); i += 2) {
                        out << separator;
                        if (a[i] >= 0) out << slot_name(a[i]) << " * ";
                        out << "exp(" << (a[i + 1] < 0 ? std::string("0") : slot_name(a[i + 1]))
                            << ")";
                        separator = ", ";
                    }
                for (; i + 1 < a.size(); i += 2) {
                    out << separator;
                    if (a[i] >= 0) out << slot_name(a[i]) << " * ";
                    out << (lse ? "exp(" : "") << operand_name(a[i + 1]) << (lse ? ")" : "");
                    separator = lse ? ", " : " + ";
                }
                if (lse) out << ")";
            } else {
                out << opcode_name(op.code) << "(";
                for (const int i : a) {
                    out << separator << operand_name(i);
                    separator = ", ";
                }
                out << ")";
            }
            out << "\n";
        }
    };
    out << "once per table:\n";
    section(parts_.data_operations, "  d", false);
    out << "once per parameter vector:\n";
    section(parts_.uniform_operations, "  u", true);
    out << "per row:\n";
    section(parts_.row_operations, "  r", false);
    out << "result: " << id_name(parts_.output) << "\n";
    return out.str();
}

}  // namespace lawfit
