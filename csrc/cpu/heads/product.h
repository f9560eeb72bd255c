// Products of small matrices, panel by panel. The right factor is read along its rows, in vectors; the left one number
// by number, spread over a vector; kRows x 4 vectors of sums stay in registers.
#pragma once

#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/losses/piece.h"

namespace mtlbench::cpu {

inline constexpr int64_t kRows = 6;    // rows of sums in registers
inline constexpr int64_t kPanel = 64;  // columns of a product; a multiple of kWidth

// to[r][j] = sum_l left(r, l) right(l, j)
template <class Number>
struct Product {
  const Number* left;  // left(r, l) = left[r left_row + l left_step]
  int64_t left_row;
  int64_t left_step;
  const Number* right;  // right(l, j) = right[l right_step + j]
  int64_t right_step;
  int64_t length;
  int64_t rows;
  int64_t columns;  // a multiple of kWidth, at most kPanel
  Number* to;       // [rows rounded up to kRows][kPanel]; the rows beyond repeat the last
};

inline constexpr int64_t rounded_up(int64_t number, int64_t unit) {
  return (number + unit - 1) / unit * unit;
}

// Vectors of `Bytes`, at most `Most` of them side by side.
template <class Number, int Bytes, int Most>
struct Multiply {
  static constexpr int kNumbers = Bytes / static_cast<int>(sizeof(Number));
  typedef Number Vector __attribute__((vector_size(Bytes), aligned(alignof(Number)), may_alias));

  MTLBENCH_FN static void run(const Product<Number>* product) {
    const Product<Number>& p = *product;
    for (int64_t row = 0; row < p.rows; row += kRows) {
      const Number* left[kRows];
      for (int64_t r = 0; r < kRows; ++r) left[r] = p.left + std::min(row + r, p.rows - 1) * p.left_row;
      Number* const to = p.to + row * kPanel;
      int64_t column = 0;
      for (; column + Most * kNumbers <= p.columns; column += Most * kNumbers) sums<Most>(p, left, column, to);
      const int64_t vectors = (p.columns - column) / kNumbers;
      if constexpr (Most > 3) {
        if (vectors == 3) sums<3>(p, left, column, to);
      }
      if constexpr (Most > 2) {
        if (vectors == 2) sums<2>(p, left, column, to);
      }
      if (vectors == 1) sums<1>(p, left, column, to);
    }
  }

  template <int Count>
  MTLBENCH_FN static void sums(const Product<Number>& p, const Number* const* left, int64_t column, Number* to) {
    Vector sum[kRows][Count] = {};
    const Number* right = p.right + column;
    const int64_t left_step = p.left_step, right_step = p.right_step;
    for (int64_t l = 0, at = 0; l < p.length; ++l, at += left_step, right += right_step) {
      Vector x[Count];
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) x[k] = *reinterpret_cast<const Vector*>(right + k * kNumbers);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Number factor = left[r][at];
#pragma GCC unroll 4
        for (int k = 0; k < Count; ++k) sum[r][k] += x[k] * factor;
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        *reinterpret_cast<Vector*>(to + r * kPanel + column + k * kNumbers) = sum[r][k];
      }
    }
  }
};

// AVX-512 has 32 registers of 64 bytes, AVX2 16 of 32, the baseline 16 of 16.
template <class Number>
void multiply(const Product<Number>& product) {
  if (product.rows == 0 || product.columns == 0) return;
  const Product<Number>* const p = &product;
  switch (isa()) {
    case Isa::Avx512:
      return run_avx512<Multiply<Number, 64, 4>>(p);
    case Isa::Avx2:
      return run_avx2<Multiply<Number, 32, 2>>(p);
    case Isa::Baseline:
      return run_baseline<Multiply<Number, 16, 2>>(p);
  }
}

}  // namespace mtlbench::cpu
