// Directions that are fair to all tasks, regardless of the scales of their gradients: Nash-MTL and FairGrad, IMTL-G and
// ConFIG, Aligned-MTL. What each computes, and from which paper, stands in mtlbench/weightings/balance.py.
#pragma once

#include "math/solvers/fair.h"
#include "math/solvers/spectrum.h"

namespace mtlbench::solvers {

// lambda_t = x_t / ||g_t||, C x = lengths^(1/alpha - 1) x^(-1/alpha), with a ridge that makes C positive definite; a
// task without a gradient becomes one that affects no other.
template <class Team>
MTLBENCH_CALL void alpha_fair(const Team team, Problem& p, double alpha, double* weights) {
  take_apart(team, p);
  const int n = p.tasks;
  const double power = 1 / alpha;
  double *levels = p.vector(1), *w = p.vector(2);
  for (int t = team.rank; t < n; t += team.size) {
    p.row(t)[t] += p.row(t)[t] > 0 ? larger(1e-8, p.rounding) : 1;
    levels[t] = p.lengths[t] > 0 ? raised(p.lengths[t], power - 1) : 1;
  }
  team.sync();
  fair(team, p, levels, power, w);
  const double unit = raised(larger(p.longest, kTiny), -2 * alpha / (1 + alpha));
  for (int t = team.rank; t < n; t += team.size) weights[t] = weight(p, t, w[t]) * unit;
}

// 1 / e for eigenvalues above rounding error.
struct Inverse {
  double least;
  MTLBENCH_CALL double operator()(double value) const { return fabs(value) > least ? 1 / value : 0; }
};

// a = C^+ 1 in `a`, without eigenvalues that are rounding error: all u_t . U^T a are 1, or as near to 1 as can be.
template <class Team>
MTLBENCH_CALL void impartial(const Team team, Problem& p, double* a) {
  take_apart(team, p);
  const int n = p.tasks;
  double* ones = p.vector(1);
  for (int t = team.rank; t < n; t += team.size) ones[t] = p.row(t)[t] > 0;
  const Spectrum spectrum = spectrum_of(team, p);
  const Inverse inverse{p.rounding * largest_size(n, spectrum.values)};
  spectrum.apply(team, n, inverse, ones, p.vector(6), a);
  const bool vanishes = largest_size(n, a) < 1e-9;  // of order 1 elsewhere
  team.sync();
  if (!vanishes) return;
  for (int t = team.rank; t < n; t += team.size) a[t] = 0;
  team.sync();
}

template <class Team>
MTLBENCH_CALL void impartial_gradients(const Team team, Problem& p, double* weights) {
  const int n = p.tasks;
  double* a = p.vector(2);
  impartial(team, p, a);
  for (int t = team.rank; t < n; t += team.size) weights[t] = weight(p, t, a[t]);
  team.sync();
  double total = 0, sizes = 0;
  for (int t = 0; t < n; ++t) {
    total += weights[t];
    sizes += fabs(weights[t]);
  }
  const bool vanishes = fabs(total) <= 1e-9 * sizes;
  team.sync();
  for (int t = team.rank; t < n; t += team.size) weights[t] = vanishes ? 0 : weights[t] / total;
}

template <class Team>
MTLBENCH_CALL void equal_cosines(const Team team, Problem& p, double* weights) {
  const int n = p.tasks;
  double *a = p.vector(2), *product = p.vector(3);
  impartial(team, p, a);
  for (int t = team.rank; t < n; t += team.size) product[t] = dot(n, p.row(t), a);
  team.sync();
  const double norm = sqrt(larger(dot(n, a, product), kTiny));
  const double length = dot(n, p.lengths, product) / norm;
  for (int t = team.rank; t < n; t += team.size) weights[t] = weight(p, t, length * a[t] / norm);
}

// 1 / sqrt(e) for eigenvalues above rounding error.
struct InverseRoot {
  double least;
  MTLBENCH_CALL double operator()(double value) const { return value > least ? 1 / sqrt(larger(value, kTiny)) : 0; }
};

enum class CommonLength : int32_t { Smallest, Median, Mean };

// The smallest, the lower median or the mean of the n values above `least`; uses `ordered` [n].
MTLBENCH_CALL double common(int n, const double* values, double least, CommonLength which, double* ordered) {
  int count = 0;
  double total = 0;
  for (int i = 0; i < n; ++i) {
    if (!(values[i] > least)) continue;
    total += values[i];
    int place = count++;
    for (; place > 0 && ordered[place - 1] > values[i]; --place) ordered[place] = ordered[place - 1];
    ordered[place] = values[i];
  }
  if (count == 0) return 0;
  if (which == CommonLength::Mean) return total / count;
  return ordered[which == CommonLength::Median ? (count - 1) / 2 : 0];
}

// Equal weights if all gradients are 0.
template <class Team>
MTLBENCH_CALL void align(const Team team, Problem& p, CommonLength which, double* weights) {
  scale(team, p);
  const int n = p.tasks;
  double* mean = p.vector(1);
  for (int t = team.rank; t < n; t += team.size) mean[t] = 1.0 / n;
  const Spectrum spectrum = spectrum_of(team, p);
  double largest = -kInfinity;
  for (int i = 0; i < n; ++i) largest = larger(largest, spectrum.values[i]);
  const double least = largest * p.rounding;
  double* shared = p.vector(8);
  if (team.rank == 0) shared[0] = common(n, spectrum.values, least, which, p.vector(7));
  team.sync();
  const double chosen = shared[0];
  spectrum.apply(team, n, InverseRoot{least}, mean, p.vector(6), p.vector(2));
  for (int t = team.rank; t < n; t += team.size) weights[t] = chosen > 0 ? sqrt(chosen) * p.vector(2)[t] : 1.0 / n;
}

}  // namespace mtlbench::solvers
