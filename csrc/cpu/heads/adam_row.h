// Adam on a row of a parameter whose gradient has just been computed (formula: math/weighted_adam.h).
#pragma once

#include "cpu/dispatch.h"
#include "math/weighted_adam.h"

namespace mtlbench::cpu {

// Some numbers of one parameter, and their gradient.
template <class Param, class State>
struct AdamRow {
  int64_t size;
  Param* p;
  State* m;
  State* v;
  State* peak;
  const Computed<Param>* gradient;
  Computed<Param> sign;
  AdamCoefficients<Computed<Param>> coefficients;
};

template <class Param, class State, bool Coupled, bool Amsgrad>
struct UpdateRow {
  using Number = Computed<Param>;

  MTLBENCH_FN static void run(const AdamRow<Param, State>* row) {
    Param* __restrict p = row->p;
    State* __restrict m = row->m;
    State* __restrict v = row->v;
    State* __restrict peak = Amsgrad ? row->peak : row->v;
    const Number* __restrict gradient = row->gradient;
    const Number sign = row->sign;
    const AdamCoefficients<Number> c = row->coefficients;
#pragma omp simd
    for (int64_t i = 0; i < row->size; ++i) {
      Number p_i = computed(p[i]), m_i = computed(m[i]), v_i = computed(v[i]);
      Number peak_i = Amsgrad ? computed(peak[i]) : Number{0};
      adam_element<Coupled, Amsgrad>(c, sign * gradient[i], p_i, m_i, v_i, peak_i);
      p[i] = stored<Param>(p_i);
      m[i] = stored<State>(m_i);
      v[i] = stored<State>(v_i);
      if constexpr (Amsgrad) peak[i] = stored<State>(peak_i);
    }
  }
};

template <class Param, class State>
void update_row(const AdamRow<Param, State>& row, bool coupled) {
  const auto* const r = &row;
  if (row.peak != nullptr) {
    coupled ? dispatch<UpdateRow<Param, State, true, true>>(r) : dispatch<UpdateRow<Param, State, false, true>>(r);
  } else {
    coupled ? dispatch<UpdateRow<Param, State, true, false>>(r) : dispatch<UpdateRow<Param, State, false, false>>(r);
  }
}

}  // namespace mtlbench::cpu
