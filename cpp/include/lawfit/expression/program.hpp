// A formula compiled to operations over columns: what is computed, checked once, immutable after.
//
// Two index spaces:
//   varying ids   one value per row:  input columns, then data operations, then row operations
//   uniform slots one value per call: parameters, then constants, then uniform operations
// Data operations depend on columns alone and run once per table; uniform operations depend on
// parameters alone and run once per parameter vector; row operations are the rest. Each operation
// defines the next id of its space, so a program is in static single assignment form.
#pragma once

#include <string>
#include <vector>

#include <lawfit/opcodes.hpp>

namespace lawfit {

// Operand lists, -1 standing for "none" (coefficient 1, offset 0, exponent 0):
//   unary a | binary a b | where c a b
//   affine     offset, then pairs (coefficient slot, operand)
//   logsumexp  m, then m pairs (coefficient slot, exponent slot), then pairs (coefficient slot, operand)
// Operands are varying ids in data and row operations, uniform slots in uniform operations.
struct Operation {
    Opcode code = Opcode::affine_;
    std::vector<int> operands;
};

class Program {
public:
    struct Parts {
        std::vector<std::string> columns;     // input columns, by name
        std::vector<std::string> parameters;  // by name, in the internal coordinates of the caller
        std::vector<double> constants;
        std::vector<Operation> data_operations;
        std::vector<Operation> uniform_operations;
        std::vector<Operation> row_operations;
        int output = -1;  // varying id
    };

    // Throws std::invalid_argument, naming the operation, when an operand does not exist yet.
    explicit Program(Parts parts);

    const std::vector<std::string>& columns() const { return parts_.columns; }
    const std::vector<std::string>& parameters() const { return parts_.parameters; }
    const std::vector<double>& constants() const { return parts_.constants; }
    const std::vector<Operation>& data_operations() const { return parts_.data_operations; }
    const std::vector<Operation>& uniform_operations() const { return parts_.uniform_operations; }
    const std::vector<Operation>& row_operations() const { return parts_.row_operations; }
    int output() const { return parts_.output; }

    int column_count() const { return static_cast<int>(parts_.columns.size()); }
    int parameter_count() const { return static_cast<int>(parts_.parameters.size()); }
    // First varying id that is a row operation's result.
    int first_register() const {
        return column_count() + static_cast<int>(parts_.data_operations.size());
    }
    int first_uniform_operation() const {
        return parameter_count() + static_cast<int>(parts_.constants.size());
    }
    int slot_count() const {
        return first_uniform_operation() + static_cast<int>(parts_.uniform_operations.size());
    }

    // Uniform slots that row operations read and that depend on a parameter: the value's derivative
    // with respect to the parameters passes through these.
    const std::vector<int>& leaves() const { return leaves_; }
    // Index into leaves() for each uniform slot, -1 for slots that are none.
    const std::vector<int>& leaf_of_slot() const { return leaf_of_slot_; }
    // For each row operation: whether its result moves with a parameter.
    const std::vector<char>& active() const { return active_; }
    // For each varying id before the registers: whether row operations or the output read it.
    const std::vector<char>& column_is_read() const { return column_is_read_; }

    // One line per operation, for people.
    std::string disassemble() const;

private:
    Parts parts_;
    std::vector<int> leaves_;
    std::vector<int> leaf_of_slot_;
    std::vector<char> active_;
    std::vector<char> column_is_read_;
};

const char* opcode_name(Opcode code);
// Opcode::count_ when there is none of that name.
Opcode opcode_from_name(const std::string& name);

}  // namespace lawfit
