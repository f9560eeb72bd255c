// The losses of all tasks of a step, and their gradients with respect to the outputs, in one pass.
#pragma once

#include "math/task_losses.h"

namespace mtlbench::cpu {

// Writes losses, gradients, reciprocals and total; where a label is out of range, returns the first one instead.
LabelError task_losses(const TaskLosses& work);

void task_gradients(const TaskGradients& work);

}  // namespace mtlbench::cpu
