// The losses of all tasks of a step, and their gradients with respect to the outputs, in one launch.
#pragma once

#include "math/task_losses.h"

namespace mtlbench::cuda {
int64_t task_losses_workspace(int64_t tasks);
void task_losses(const TaskLosses& work, void* stream);
void task_gradients(const TaskGradients& work, void* stream);
}  // namespace mtlbench::cuda

namespace mtlbench::emulated {
int64_t task_losses_workspace(int64_t tasks);
void task_losses(const TaskLosses& work, void* stream);
void task_gradients(const TaskGradients& work, void* stream);
}  // namespace mtlbench::emulated
