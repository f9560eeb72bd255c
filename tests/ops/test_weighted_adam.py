from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mtlbench.ops import backend
from mtlbench.ops.weighted_adam import weighted_adam_

from .adam_oracle import Case, assert_right, expected

FORMULAS = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled": True},
    {"maximize": True, "betas": (0.0, 0.99), "eps": 1e-4},
    {"bias_correction": False, "lr": 0.05},
    {"lr": 0.0},
]
AWKWARD = [(0,), (1,), (3,), (), (4097,), (5, 0), (33, 31), (1024,), (2048,)]
needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)
LIBRARIES = ["mtlbench", "mtlbench_emulated"]


def check(case: Case, **options: Any) -> dict[str, Any]:
    """Run a case and compare everything it changes with float64; gives the tensors it left."""
    before, after = case.tensors(), case.tensors()
    weighted_adam_(**after, **options)
    steps = after["step"] if isinstance(after["step"], list) else [after["step"]]
    wanted = expected(before, **options)
    for i, right in enumerate(wanted):
        if right is None:
            assert torch.equal(after["params"][i], before["params"][i])
            assert torch.equal(after["exp_avgs"][i], before["exp_avgs"][i])
        else:
            assert_right(after, i, before, right)
        if not case.shared_step:
            assert steps[i] == case.steps_done + (right is not None)
    if case.shared_step:
        assert steps[0] == case.steps_done + any(right is not None for right in wanted)
    return after


@pytest.mark.parametrize("options", FORMULAS, ids=str)
@pytest.mark.parametrize("amsgrad", [False, True], ids=["adam", "amsgrad"])
def test_formula(form: str, device: torch.device, options: dict[str, Any], amsgrad: bool) -> None:
    check(Case(AWKWARD, device=device, amsgrad=amsgrad), **options)


@pytest.mark.parametrize("tasks", [*range(1, 9), 16, 17, 33])
def test_any_number_of_tasks_some_missing(form: str, device: torch.device, tasks: int) -> None:
    weights = torch.linspace(-1, 1, tasks).tolist()  # negative ones and, for odd T, zero
    check(Case([(0,), (7,), (1025,), (4, 5)], tasks, missing=0.4, weights=weights, device=device, seed=tasks))


@pytest.mark.parametrize(
    ("dtype", "state_dtype"),
    [
        (torch.float64, torch.float64),
        (torch.bfloat16, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float32),
    ],
)
@pytest.mark.parametrize("amsgrad", [False, True], ids=["adam", "amsgrad"])
def test_dtypes(form: str, device: torch.device, dtype: torch.dtype, state_dtype: torch.dtype, amsgrad: bool) -> None:
    case = Case(AWKWARD, 2, dtype, state_dtype, weights=[0.5, 2.0], amsgrad=amsgrad, device=device)
    check(case, lr=0.01, weight_decay=0.1)


@pytest.mark.parametrize("steps_done", [0, 10**6 - 1])
@pytest.mark.parametrize("shared_step", [False, True])
def test_first_and_millionth_step(form: str, device: torch.device, steps_done: int, shared_step: bool) -> None:
    check(Case([(5,), (2000,)], missing=0.3, steps_done=steps_done, shared_step=shared_step, device=device))


def test_thousands_of_tiny_tensors(form: str, device: torch.device) -> None:
    check(Case([(1 + i % 3,) for i in range(2000)], missing=0.1, device=device))
    check(Case([(1 + i % 3,) for i in range(300)], 3, missing=0.3, shared_step=True, device=device))


def test_each_parameter_has_its_own_step(form: str, device: torch.device) -> None:
    before = Case([(10,), (10,), (2000,)], device=device).tensors()
    before["step"] = [torch.tensor(count, device=device) for count in (0.0, 7.0, 100.0)]
    after = copy.deepcopy(before)
    weighted_adam_(**after)
    for i, right in enumerate(expected(before)):
        assert_right(after, i, before, right)
    assert [float(step) for step in after["step"]] == [1.0, 8.0, 101.0]


def test_tiny_gradients_whose_squares_are_denormal_or_zero(form: str, device: torch.device) -> None:
    case = Case([(1000,)], steps_done=0, device=device)
    before = case.tensors()
    before["gradients"] = [[torch.logspace(-25, -15, 1000).to(device)]]
    for name in ("exp_avgs", "exp_avg_sqs"):
        before[name] = [torch.zeros(1000, device=device)]
    after = copy.deepcopy(before)
    weighted_adam_(**after, lr=0.1)
    assert_right(after, 0, before, expected(before, lr=0.1)[0])
    assert after["params"][0].isfinite().all()


@pytest.mark.parametrize("beta1", [0.0, 0.1, 0.5, 0.51, 0.9])
def test_small_gradients_after_large_ones_are_averaged_as_torch_does(
    form: str, device: torch.device, beta1: float
) -> None:
    case = Case([(100,)], device=device).tensors()
    case["exp_avgs"] = [torch.full((100,), 1e4, device=device)]
    case["gradients"] = [[torch.full((100,), 1e-4, device=device)]]
    averaged = case["exp_avgs"][0].lerp(case["gradients"][0][0], 1 - beta1)
    weighted_adam_(**case, betas=(beta1, 0.99))
    torch.testing.assert_close(case["exp_avgs"][0], averaged, rtol=1e-6, atol=0.0)


def test_zero_gradients_leave_a_fresh_parameter_alone(form: str, device: torch.device) -> None:
    case = Case([(100,)], steps_done=0, device=device).tensors()
    before = case["params"][0].clone()
    for name in ("exp_avgs", "exp_avg_sqs"):
        case[name] = [torch.zeros(100, device=device)]
    case["gradients"] = [[torch.zeros(100, device=device)]]
    weighted_adam_(**case)
    assert torch.equal(case["params"][0], before)


def test_nan_and_inf_of_one_task_stay_where_they_are(form: str, device: torch.device) -> None:
    case = Case([(100,), (100,)], 3, weights=[1.0, 0.0, 1.0], device=device)
    after = case.tensors()
    after["gradients"][1][0][3] = torch.nan  # a weight of zero multiplies: 0 times NaN is NaN, as in torch
    after["gradients"][0][1][5] = torch.inf
    weighted_adam_(**after)
    assert after["params"][0].isnan().nonzero().flatten().tolist() == [3]
    assert after["params"][1].isnan().nonzero().flatten().tolist() == [5]


def test_total_loss(form: str, device: torch.device) -> None:
    case = Case([(10,)], 3, weights=[0.5, 0.0, -2.0], device=device).tensors()
    total = weighted_adam_(**case, losses=torch.tensor([3.0, 100.0, 0.25], device=device))
    assert total is not None
    assert total.dtype == torch.float32
    assert total.shape == ()
    assert total == 1.0
    case = Case([(10,)], 2, device=device).tensors()
    assert weighted_adam_(**case, losses=torch.tensor([3.0, 4.0], device=device)) == 7.0
    assert weighted_adam_(**case) is None


def test_one_combined_gradient_is_not_weighted_again(form: str, device: torch.device) -> None:
    one, two = (Case([(50,)], device=device).tensors() for _ in range(2))
    weights = torch.tensor([0.25, 0.5], device=device)
    total = weighted_adam_(**one, losses=torch.tensor([4.0, 2.0], device=device), weights=weights)
    weighted_adam_(**two)
    assert total == 2.0
    assert torch.equal(one["params"][0], two["params"][0])


def test_no_parameters_at_all(form: str, device: torch.device) -> None:
    step = torch.zeros((), device=device)
    losses = torch.tensor([1.0, 2.0], device=device)
    assert weighted_adam_([], [[], []], [], [], step, losses) == 3.0
    assert step == 0


def test_lr_on_the_device(form: str, device: torch.device) -> None:
    one, two = (Case([(50,), (3000,)], device=device).tensors() for _ in range(2))
    weighted_adam_(**one, lr=torch.tensor(0.25, device=device))
    weighted_adam_(**two, lr=0.25)
    torch.testing.assert_close(one["params"], two["params"], rtol=1e-6, atol=0)


def test_grad_scale_divides_the_gradients(form: str, device: torch.device) -> None:
    before = Case([(50,)], 2, weights=[1.0, 2.0], device=device).tensors()
    after = copy.deepcopy(before)
    weighted_adam_(**after, grad_scale=torch.tensor(1024.0, device=device))
    assert_right(after, 0, before, expected(before, scale=1024.0)[0])


def test_found_inf_leaves_everything_but_the_total(form: str, device: torch.device) -> None:
    before = Case([(50,), (1,)], shared_step=False, device=device).tensors()
    after = copy.deepcopy(before)
    losses = torch.tensor([2.0], device=device)
    total = weighted_adam_(**after, losses=losses, found_inf=torch.ones(1, device=device))
    assert total == 2.0
    for name in ("params", "exp_avgs", "exp_avg_sqs", "step"):
        assert all(map(torch.equal, before[name], after[name]))
    weighted_adam_(**after, found_inf=torch.zeros((), device=device))
    assert after["step"][0] == 4


def layouts(device: torch.device) -> Any:
    wide = torch.randn(6, 40, device=device)
    image = torch.randn(4, 3, 5, 5, device=device)
    yield "slice", wide.clone()[:, ::2], None
    yield "transposed", wide.clone().T, None
    yield "channels last", image.to(memory_format=torch.channels_last), None
    yield (
        "channels last, contiguous gradient",
        image.to(memory_format=torch.channels_last),
        torch.randn_like(image, memory_format=torch.contiguous_format),
    )
    yield "expanded gradient", wide.clone(), torch.randn(6, 1, device=device).expand(6, 40)
    yield "misaligned", torch.randn(1001, device=device)[1:], None


@pytest.mark.parametrize("number", range(6))
def test_memory_layouts(form: str, device: torch.device, number: int) -> None:
    torch.manual_seed(number)
    _, param, gradient = list(layouts(device))[number]
    gradient = torch.randn_like(param) if gradient is None else gradient
    state = torch.rand(param.shape, device=device)
    made: dict[str, Any] = {
        "params": [param],
        "gradients": [[gradient]],
        "exp_avgs": [torch.zeros_like(param)],
        "exp_avg_sqs": [state],  # contiguous, whatever the parameter is
        "step": [torch.zeros((), device=device)],
    }
    before = copy.deepcopy(made)
    weighted_adam_(**made)
    assert_right(made, 0, before, expected(before)[0])


@pytest.mark.parametrize("argument", ["params", "exp_avgs", "exp_avg_sqs"])
def test_memory_that_overlaps_itself_is_refused(form: str, argument: str) -> None:
    if form == "reference":
        pytest.skip("torch refuses by itself, later")
    made = Case([(6, 4)]).tensors()
    made[argument] = [torch.randn(6, 1).expand(6, 4)]
    with pytest.raises(RuntimeError, match="single memory location"):
        weighted_adam_(**made)


def broken(name: str) -> tuple[dict[str, Any], type[Exception], str]:
    made = Case([(4,), (5,)], 2).tensors()
    if name == "shape":
        made["gradients"][1][0] = torch.randn(3)
        return made, ValueError, r"gradients.*of shape \[4\].*got \[3\]"
    if name == "dtype":
        made["exp_avgs"][1] = made["exp_avgs"][1].double()
        return made, TypeError, r"exp_avgs\[1\] of dtype Float, got Double"
    if name == "gradient dtype":
        made["gradients"][0][1] = made["gradients"][0][1].bfloat16()
        return made, TypeError, "dtype Float, got BFloat16"
    if name == "length":
        made["exp_avg_sqs"].pop()
        return made, ValueError, "expected 2 exp_avg_sqs as params, got 1"
    if name == "sparse":
        made["gradients"][0][0] = torch.ones(4).to_sparse()
        return made, ValueError, "SparseAdam"
    if name == "weights":
        made["weights"] = torch.ones(3)
        return made, ValueError, "one weight for each of the 2"
    made["step"] = [torch.zeros(()), torch.zeros(2)]
    return made, ValueError, "step of one element"


@needs_kernels
@pytest.mark.parametrize("name", ["shape", "dtype", "gradient dtype", "length", "sparse", "weights", "step"])
@pytest.mark.parametrize("form", ["cpu", "dispatcher"], indirect=True)
def test_errors_name_the_argument_and_change_nothing(form: str, name: str) -> None:
    if name == "sparse" and form == "dispatcher":
        pytest.skip("torch's dispatcher finds no kernel first")
    made, error, message = broken(name)
    before = [p.clone() for p in made["params"]]
    with pytest.raises(error, match=message):
        weighted_adam_(**made)
    assert all(map(torch.equal, made["params"], before))


@needs_kernels
def test_bits_do_not_depend_on_threads_or_runs(one_thread: None) -> None:
    results = []
    for threads in (1, 2, 3, 1):
        torch.set_num_threads(threads)
        made = Case([(100_001,), (3,), (40, 50)], 5, missing=0.2, weights=[1.0, -2.0, 0.5, 0.1, 3.0]).tensors()
        weighted_adam_(**made, weight_decay=0.01)
        results.append(made["params"] + made["exp_avgs"] + made["exp_avg_sqs"])
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


@needs_kernels
@pytest.mark.parametrize("blocks", [1, 2, 7])
@pytest.mark.parametrize("form", ["emulated"], indirect=True)
def test_bits_do_not_depend_on_the_size_of_the_gpu(form: str, blocks: int, request: pytest.FixtureRequest) -> None:
    from mtlbench import _C

    request.addfinalizer(lambda: _C.set_emulated_blocks(3))
    shapes = [(10_001,), (3,), (0,), (40, 50)]
    one, two = (Case(shapes, 2, weights=[1.0, -2.0], shared_step=True).tensors() for _ in range(2))
    weighted_adam_(**one)
    _C.set_emulated_blocks(blocks)
    weighted_adam_(**two)
    assert all(map(torch.equal, one["params"], two["params"]))
    assert one["step"] == two["step"] == 4  # the ticket was reset: the last block is found in each launch


@needs_kernels
def test_error_is_at_most_twice_that_of_torch_fused() -> None:
    made = Case([(20_000,)], steps_done=0).tensors()
    made["exp_avgs"], made["exp_avg_sqs"] = [torch.zeros(20_000)], [torch.zeros(20_000)]
    theirs = torch.nn.Parameter(made["params"][0].clone())
    optimizer = torch.optim.Adam([theirs], lr=1e-3, fused=True)
    right = made["params"][0].double().clone()
    m, v = torch.zeros_like(right), torch.zeros_like(right)
    for k in range(1, 6):
        g = torch.randn(20_000)
        theirs.grad, made["gradients"] = g.clone(), [[g]]
        optimizer.step()
        weighted_adam_(**made)
        m, v = 0.9 * m + 0.1 * g.double(), 0.999 * v + 0.001 * g.double() ** 2
        right -= 1e-3 * (m / (1 - 0.9**k)) / ((v / (1 - 0.999**k)).sqrt() + 1e-8)
    ours_error = (made["params"][0].double() - right).abs()
    theirs_error = (theirs.detach().double() - right).abs()
    assert ours_error.mean() <= 2 * theirs_error.mean()
    assert ours_error.max() <= 2 * theirs_error.max()


@needs_kernels
def test_one_tensor_of_64_million() -> None:
    size = 64_000_000
    small = {name: torch.full((1,), value) for name, value in zip("pgmv", (1.0, 0.5, 0.1, 0.2), strict=True)}
    large = {name: value.expand(size).contiguous() for name, value in small.items()}
    for made in (small, large):
        weighted_adam_([made["p"]], [[made["g"]]], [made["m"]], [made["v"]], torch.zeros(()))
    for name in "pmv":
        extremes = [value.item() for value in large[name].aminmax()]
        assert extremes == pytest.approx([small[name].item()] * 2, rel=1e-6)


@needs_kernels
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_opcheck(library: str, amsgrad: bool) -> None:
    if not hasattr(getattr(torch.ops, library), "weighted_adam_"):
        pytest.skip("built with MTLBENCH_EMULATOR=0")
    made = Case([(3,), (2, 2)], 2, missing=0.3, amsgrad=amsgrad, weights=[1.0, 2.0]).tensors()
    flat = list(itertools.chain(*made["gradients"]))
    numbers = (1e-3, 0.9, 0.999, 1e-8, 0.0, False, False, True)
    for losses in (None, torch.ones(2)):
        torch.library.opcheck(
            getattr(torch.ops, library).weighted_adam_.default,
            (made["params"], flat, 2, made["exp_avgs"], made["exp_avg_sqs"], made.get("max_exp_avg_sqs", []),
             made["step"], losses, made["weights"], None, None, None, *numbers),
        )  # fmt: skip


@needs_kernels
def test_compiles_into_one_graph() -> None:
    eager, compiled = (Case([(30,), (4, 5)], 2, weights=[1.0, 2.0], missing=0.2).tensors() for _ in range(2))
    losses = torch.tensor([1.0, 2.0])

    def update(made: dict[str, Any]) -> Any:
        return weighted_adam_(**made, losses=losses, weight_decay=0.1)

    torch.compiler.reset()
    total = torch.compile(update, fullgraph=True, backend="aot_eager")(compiled)
    assert total == update(eager)
    for name in ("params", "exp_avgs", "exp_avg_sqs", "step"):
        assert all(map(torch.equal, eager[name], compiled[name]))


def test_autograd_notices_the_update(form: str, device: torch.device) -> None:
    if form == "reference":
        pytest.skip("torch's own operations")
    made = Case([(4,)], device=device).tensors()
    param = made["params"][0].requires_grad_()
    loss = (param**2).sum()
    weighted_adam_(**made)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@needs_kernels
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(shapes=[(), (4, 30, 32), (13, 14, 27), ()], tasks=6, missing=0.0, seed=341)  # terms that cancel
@given(
    shapes=st.lists(st.lists(st.integers(0, 40), max_size=3).map(tuple), min_size=1, max_size=6),
    tasks=st.integers(1, 6),
    missing=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
@pytest.mark.parametrize("form", ["cpu", "emulated"], indirect=True)
def test_any_shapes(form: str, shapes: Any, tasks: int, missing: float, seed: int) -> None:
    check(Case(shapes, tasks, missing=missing, weights=[0.5] * tasks, seed=seed), weight_decay=0.01)
