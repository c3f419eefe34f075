// A symmetric matrix whose zeros are known beforehand: values of a lower triangle and their places.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <Eigen/Core>

namespace lawfit {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

// The entries that may differ from zero, column by column, each column from the diagonal downwards.
class SymmetricPattern {
public:
    // Every entry.
    explicit SymmetricPattern(int dimension);
    // The diagonal and the entries at the given (row, column), in any order and any triangle.
    SymmetricPattern(int dimension, const std::vector<std::pair<int, int>>& entries);

    int dimension() const { return static_cast<int>(begin_.size()) - 1; }
    int count() const { return begin_.back(); }
    bool is_full() const { return is_full_; }
    // Entries begin(j) to begin(j + 1) are those of column j, begin(j) the diagonal.
    int begin(int column) const { return begin_[static_cast<std::size_t>(column)]; }
    int row(int entry) const { return row_[static_cast<std::size_t>(entry)]; }
    const std::vector<int>& begins() const { return begin_; }
    const std::vector<int>& rows() const { return row_; }
    // Entry of row i and column j in either triangle; it must be there.
    int find(int i, int j) const;

private:
    bool is_full_;
    std::vector<int> begin_;  // (dimension + 1,)
    std::vector<int> row_;    // (count,)
};

class SymmetricMatrix {
public:
    explicit SymmetricMatrix(std::shared_ptr<const SymmetricPattern> pattern)
        : pattern_(std::move(pattern)), values_(Vector::Zero(pattern_->count())) {}
    // Every entry of a full matrix, from its lower triangle.
    explicit SymmetricMatrix(const Matrix& full);

    const std::shared_ptr<const SymmetricPattern>& pattern() const { return pattern_; }
    int dimension() const { return pattern_->dimension(); }
    Vector& values() { return values_; }  // (pattern().count(),)
    const Vector& values() const { return values_; }
    double diagonal(int i) const { return values_[pattern_->begin(i)]; }

    void operator+=(const SymmetricMatrix& other) { values_ += other.values_; }
    // Adds factor * diagonal. diagonal: (dimension,)
    void add_to_diagonal(double factor, const Vector& diagonal);
    // y = this x. x, y: (dimension,), not the same
    void multiply(const Vector& x, Vector& y) const;
    // Both triangles. full: (dimension, dimension)
    void to_full(Matrix& full) const;

private:
    std::shared_ptr<const SymmetricPattern> pattern_;
    Vector values_;
};

}  // namespace lawfit
