// Gradients that are changed one after the other, in coordinates of unit gradients: task t's is ||g_t|| sum_u a_tu u_u.
// Every task meets the others in an order of its own, that of its row of random draws.
#pragma once

#include "math/solvers/problem.h"

namespace mtlbench::solvers {

// Task t as it meets the others: its coordinates a, and their products with all unit gradients, C a.
struct Patient {
  int n;
  const Problem* problem;
  double* a;
  double* products;

  MTLBENCH_CALL Patient(const Problem& p, int t)
      : n(p.tasks), problem(&p), a(p.factor + t * p.tasks), products(p.spare + t * p.tasks) {
    for (int u = 0; u < n; ++u) a[u] = u == t;
    for (int u = 0; u < n; ++u) products[u] = p.row(t)[u];
  }

  MTLBENCH_CALL void add(double amount, int u) const {
    a[u] += amount;
    const double* row = problem->row(u);
    for (int k = 0; k < n; ++k) products[k] += amount * row[k];
  }
};

// The n - 1 other tasks by increasing draw; equal draws keep the order of the tasks.
template <class Draw>
MTLBENCH_CALL void order(int n, int t, const Draw* draws, int* others) {
  int count = 0;
  for (int u = 0; u < n; ++u) {
    if (u == t) continue;
    int place = count++;
    for (; place > 0 && draws[others[place - 1]] > draws[u]; --place) others[place] = others[place - 1];
    others[place] = u;
  }
}

// What meets another task: g_t <- g_t - min(g_t . u_u, 0) u_u.
struct Projection {
  MTLBENCH_CALL void meet(const Patient& patient, int, int u) const {
    if (patient.products[u] < 0) patient.add(-patient.products[u], u);
  }
};

// The same towards a target cosine psi_tu, which then moves to the cosine that was met.
struct Vaccine {
  double beta;
  double* targets;  // [T][T]

  MTLBENCH_CALL void meet(const Patient& patient, int t, int u) const {
    const int n = patient.n;
    const double length = sqrt(larger(dot(n, patient.a, patient.products), kTiny));
    double size = 0;
    for (int k = 0; k < n; ++k) size += fabs(patient.a[k]);
    const bool left = length > 1e-6 * size;  // what two opposed gradients leave has no direction
    if (!left || !(patient.problem->lengths[t] > 0) || !(patient.problem->lengths[u] > 0)) return;
    const double cosine = smaller(larger(patient.products[u] / length, -1), 1);
    double& target = targets[t * n + u];
    const double aim = target;
    target = aim + beta * (cosine - aim);
    if (!(cosine < aim)) return;
    const double sine = sqrt(larger(1 - aim * aim, 1e-12));
    patient.add(length * (aim * sqrt(larger(1 - cosine * cosine, 0)) - cosine * sine) / sine, u);
  }
};

// lambda [T] of the sum of all changed gradients.
template <class Team, class Draw, class Meeting>
MTLBENCH_CALL void operate(const Team team, Problem& p, const Draw* draws, const Meeting& meeting, double* weights) {
  take_apart(team, p);
  const int n = p.tasks;
  for (int t = team.rank; t < n; t += team.size) {
    const Patient patient(p, t);
    int* others = p.indices + t * n;
    order(n, t, draws + t * n, others);
    for (int i = 0; i + 1 < n; ++i) meeting.meet(patient, t, others[i]);
  }
  team.sync();
  for (int u = team.rank; u < n; u += team.size) {
    double total = 0;
    for (int t = 0; t < n; ++t) total += ratio(p, t, u) * p.factor[t * n + u];
    weights[u] = total;
  }
  team.sync();
}

}  // namespace mtlbench::solvers
