// The arguments of step_heads_, checked and laid out as the kernels want them (struct StepHeads).
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <vector>

#include "math/step_heads.h"

namespace mtlbench {

// Lists of tensors hold, head by head, the matrix and, where biased[t] is not 0, the bias.
struct HeadArguments {
  at::TensorList features;    // one, or one per head
  at::TensorList d_features;  // contiguous, as many and of the same shapes: dh is written here
  at::TensorList params;
  at::IntArrayRef biased;
  at::TensorList exp_avgs;
  at::TensorList exp_avg_sqs;
  at::TensorList max_exp_avg_sqs;  // empty without amsgrad
  at::TensorList steps;            // one, or one per tensor
};

// Points into the arguments, which must outlive it.
class HeadsTable {
 public:
  explicit HeadsTable(const HeadArguments& arguments);

  const at::Tensor& matrix(int64_t t) const { return *matrices_[t]; }
  const at::Tensor& features_of(int64_t t) const { return *features_[features_.size() == 1 ? 0 : t]; }
  c10::ScalarType computed_type() const { return param_type_ == at::kDouble ? at::kDouble : at::kFloat; }
  c10::Device device() const { return device_; }

  void fill(StepHeads& work, at::TensorList outputs);  // `work` then points into this table
  void write_back();                                   // what was copied because it was not contiguous

 private:
  struct Copy {
    at::Tensor original, dense;
  };
  void add_features(const at::Tensor& features, const at::Tensor& d_features, size_t place);
  void add_tensor(const HeadArguments& arguments, size_t k, int64_t t, bool bias);
  void check(const at::Tensor& tensor, const char* name, int64_t t, bool bias, at::IntArrayRef shape,
             c10::ScalarType dtype) const;
  void* mutated(const at::Tensor& tensor, const char* name, int64_t t, bool bias, const at::Tensor& param);
  void check_overlap() const;

  c10::Device device_;
  c10::ScalarType feature_type_, param_type_, state_type_;
  int64_t width_ = 0;
  bool shared_step_;
  std::vector<const at::Tensor*> features_, matrices_;
  std::vector<HeadFeatures> laid_features_;
  std::vector<Head> heads_;
  std::deque<at::Tensor> kept_;
  std::deque<Copy> write_back_;
  struct Range {
    const char *first, *last;
    bool is_written;
    const char* name;
    int64_t task;
  };
  std::vector<Range> ranges_;
};

}  // namespace mtlbench
