#include <lawfit/objective/symmetric.hpp>

#include <algorithm>

#include "index.hpp"

namespace lawfit {
SymmetricPattern::SymmetricPattern(int dimension) : is_full_(true), begin_{0} {
    for (int j = 0; j < dimension; ++j) {
        for (int i = j; i < dimension; ++i) row_.push_back(i);
        begin_.push_back(static_cast<int>(row_.size()));
    }
}

SymmetricPattern::SymmetricPattern(int dimension, const std::vector<std::pair<int, int>>& entries)
    : begin_(index(dimension + 1), 0) {
    std::vector<std::pair<int, int>> sorted;  // (column, row)
    sorted.reserve(entries.size() + index(dimension));
    for (int j = 0; j < dimension; ++j) sorted.emplace_back(j, j);
    for (const auto& [i, j] : entries) sorted.emplace_back(std::min(i, j), std::max(i, j));
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    for (const auto& [column, row] : sorted) {
        row_.push_back(row);
        begin_[index(column + 1)] = static_cast<int>(row_.size());
    }
    is_full_ = sorted.size() == index(dimension) * index(dimension + 1) / 2;
}

int SymmetricPattern::find(int i, int j) const {
    const int column = std::min(i, j), row = std::max(i, j);
    if (is_full_) return begin(column) + row - column;
    const auto first = row_.begin() + begin(column), last = row_.begin() + begin(column + 1);
    return static_cast<int>(std::lower_bound(first, last, row) - row_.begin());
}

SymmetricMatrix::SymmetricMatrix(const Matrix& full)
    : SymmetricMatrix(std::make_shared<SymmetricPattern>(static_cast<int>(full.rows()))) {
    int entry = 0;
    for (int j = 0; j < dimension(); ++j)
        for (int i = j; i < dimension(); ++i) values_[entry++] = full(i, j);
}

void SymmetricMatrix::add_to_diagonal(double factor, const Vector& diagonal) {
    for (int j = 0; j < dimension(); ++j) values_[pattern_->begin(j)] += factor * diagonal[j];
}

void SymmetricMatrix::multiply(const Vector& x, Vector& y) const {
    y.setZero(dimension());
    if (pattern_->is_full()) {
        const double* value = values_.data();
        const int n = dimension();
        for (int j = 0; j < n; ++j) {
            double sum = *value++ * x[j];
            for (int i = j + 1; i < n; ++i, ++value) {
                y[i] += *value * x[j];
                sum += *value * x[i];
            }
            y[j] += sum;
        }
        return;
    }
    for (int j = 0; j < dimension(); ++j) {
        int entry = pattern_->begin(j);
        double sum = values_[entry] * x[j];
        for (++entry; entry < pattern_->begin(j + 1); ++entry) {
            const int i = pattern_->row(entry);
            y[i] += values_[entry] * x[j];
            sum += values_[entry] * x[i];
        }
        y[j] += sum;
    }
}

void SymmetricMatrix::to_full(Matrix& full) const {
    if (pattern_->is_full()) {
        const int n = dimension();
        full.resize(n, n);
        const double* value = values_.data();
        for (int j = 0; j < n; ++j)
            for (int i = j; i < n; ++i) full(i, j) = full(j, i) = *value++;
        return;
    }
    full.setZero(dimension(), dimension());
    for (int j = 0; j < dimension(); ++j)
        for (int entry = pattern_->begin(j); entry < pattern_->begin(j + 1); ++entry)
            full(pattern_->row(entry), j) = full(j, pattern_->row(entry)) = values_[entry];
}

}  // namespace lawfit
