from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlbench.ops import backend
from mtlbench.ops.gramian import dot_products, gramian

AWKWARD = [(0,), (1,), (3,), (), (4097,), (5, 0), (33, 31), (1024,)]
needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)


def make(
    shapes: Any,
    tasks: Any,
    dtype: torch.dtype = torch.float32,
    missing: float = 0.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Any:
    random = torch.Generator().manual_seed(seed)

    def gradient(shape: tuple[int, ...], kept: bool) -> Tensor | None:
        made = torch.randn(shape, generator=random, dtype=torch.float64).to(device, dtype)
        return made if kept else None

    made = [[gradient(s, torch.rand((), generator=random).item() >= missing) for s in shapes] for _ in range(tasks)]
    made[0][0] = gradient(shapes[0], True)  # one at least
    return made


def expected(gradients: Any) -> tuple[Tensor, Tensor]:
    """G in float64, and the size of the terms that made it."""
    tasks, tensors = len(gradients), len(gradients[0])
    parts = []
    for i in range(tensors):
        like = next((g[i] for g in gradients if g[i] is not None), None)
        if like is not None:
            zero = torch.zeros(like.numel(), dtype=torch.float64, device=like.device)
            parts.append([zero if g[i] is None else g[i].double().reshape(-1) for g in gradients])
    jacobian = torch.stack([torch.cat([part[t] for part in parts]) for t in range(tasks)])
    return jacobian @ jacobian.T, jacobian.abs() @ jacobian.abs().T


def check(gradients: Any, rounding: float = 3e-6) -> Tensor:
    found = gramian(gradients)
    wanted, terms = expected(gradients)
    assert found.dtype == (torch.float64 if gradients[0][0].dtype == torch.float64 else torch.float32)
    assert torch.equal(found, found.T)
    assert ((found.double() - wanted).abs() <= rounding * terms).all()
    return found


@pytest.mark.parametrize("tasks", [*range(1, 10), 16, 17])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_equals_float64(form: str, device: torch.device, tasks: Any, missing: float) -> None:
    check(make(AWKWARD, tasks, missing=missing, seed=tasks, device=device))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tasks", [1, 3, 8, 9])
def test_dtypes(form: str, device: torch.device, dtype: torch.dtype, tasks: Any) -> None:
    check(make(AWKWARD, tasks, dtype, 0.2, device=device), 1e-14 if dtype == torch.float64 else 3e-6)


def test_thousands_of_tiny_tensors(form: str, device: torch.device) -> None:
    check(make([(1 + i % 3,) for i in range(2000)], 3, missing=0.3, device=device))


def test_long_sums_keep_their_precision(form: str, device: torch.device) -> None:
    size = 100_000 if form == "emulated" else 2_000_000
    gradients = [[torch.full((size,), 0.1, device=device)], [torch.full((size,), -0.3, device=device)]]
    check(gradients, rounding=1e-5)  # torch's own float32 product is 9e-4 off here


def test_memory_layouts(form: str, device: torch.device) -> None:
    image = torch.randn(4, 3, 5, 5, device=device)
    wide = torch.randn(6, 40, device=device)
    check([[image.to(memory_format=torch.channels_last), wide[:, ::2]], [torch.randn_like(image), wide[:, 1::2]]])
    check([[wide.T], [torch.randn(40, 6, device=device)], [torch.randn(1, 6, device=device).expand(40, 6)]])
    check([[torch.randn(1001, device=device)[1:]], [torch.randn(1000, device=device)]])


def test_nan_and_inf_stay_with_their_task(form: str, device: torch.device) -> None:
    gradients = make([(10,), (2000,)], 3, device=device)
    gradients[1][1][7] = torch.nan
    found = gramian(gradients)
    assert found[1].isnan().all()
    assert found[0, 0].isfinite()
    assert found[0, 2].isfinite()


def test_no_gradient_at_all(form: str) -> None:
    assert torch.equal(gramian([[None], [None]]), torch.zeros(2, 2))


@pytest.mark.parametrize(
    ("gradients", "error", "message"),
    [
        ([], ValueError, "as many gradients"),
        ([[torch.ones(1)], []], ValueError, r"as many gradients, or None, for each task, got \[1, 0\]"),
        ([[torch.ones(2)], [torch.ones(3)]], ValueError, r"gradients\[1\]\[0\] of shape \[2\].*got \[3\]"),
        ([[torch.ones(2)], [torch.ones(2).bfloat16()]], TypeError, "one dtype"),
    ],
)
@needs_kernels
def test_errors(gradients: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gramian(gradients)


@needs_kernels
def test_bits_do_not_depend_on_threads_or_runs(one_thread: None) -> None:
    gradients = make([(100_001,), (3,), (40, 50)], 5, missing=0.2)
    results = []
    for threads in (1, 2, 3, 1):
        torch.set_num_threads(threads)
        results.append(gramian(gradients))
    assert all(torch.equal(results[0], other) for other in results[1:])


@needs_kernels
@pytest.mark.parametrize("form", ["emulated"], indirect=True)
@pytest.mark.parametrize("blocks", [1, 6, 40])
def test_grids_of_any_size(form: str, blocks: int, request: pytest.FixtureRequest) -> None:
    from mtlbench import _C

    request.addfinalizer(lambda: _C.set_emulated_blocks(3))
    _C.set_emulated_blocks(blocks)
    gradients = make([(20_001,), (3,)], 17)
    assert torch.equal(check(gradients), gramian(gradients))  # run to run, too


def test_derivative(form: str, device: torch.device) -> None:
    gradients = make([(3,), (2, 2), (), (0,)], 3, torch.float64, 0.3, device=device)
    present = [g.requires_grad_() for of_task in gradients for g in of_task if g is not None]

    def of_present(*inputs: Tensor) -> Tensor:
        values = iter(inputs)
        return gramian([[None if g is None else next(values) for g in of_task] for of_task in gradients])

    assert torch.autograd.gradcheck(of_present, present)


@needs_kernels
@pytest.mark.parametrize("library", ["mtlbench", "mtlbench_emulated"])
@pytest.mark.parametrize("needs_derivative", [False, True])
def test_opcheck(library: str, needs_derivative: bool) -> None:
    if not hasattr(getattr(torch.ops, library), "gramian"):
        pytest.skip("built with MTLBENCH_EMULATOR=0")
    gradients = [torch.randn(4, requires_grad=needs_derivative) for _ in range(3)]
    torch.library.opcheck(getattr(torch.ops, library).gramian.default, (gradients, [0, 1, 3], 2, 2))


@needs_kernels
def test_compiles_into_one_graph() -> None:
    gradients = make([(30,), (4, 5)], 3, missing=0.2)
    torch.compiler.reset()
    compiled = torch.compile(gramian, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(gradients), gramian(gradients))


@needs_kernels
@settings(max_examples=25, deadline=None)
@given(
    shapes=st.lists(st.lists(st.integers(0, 40), max_size=3).map(tuple), min_size=1, max_size=6),
    tasks=st.integers(1, 10),
    missing=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_any_shapes(shapes: Any, tasks: Any, missing: float) -> None:
    check(make(shapes, tasks, missing=missing))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("tasks", "others", "columns"), [(1, 1, 0), (3, 3, 1), (3, 2, 50), (8, 8, 1_100_000)])
def test_dot_products_are_those_of_float64(dtype: torch.dtype, tasks: int, others: int, columns: int) -> None:
    first, second = (torch.randn(rows, columns).to(dtype) for rows in (tasks, others))
    expected = first.double() @ second.double().T
    torch.testing.assert_close(dot_products(first, second), expected, rtol=1e-12, atol=1e-9)


def test_dot_products_tell_nearly_parallel_gradients_apart() -> None:
    gradients = torch.tensor([[1.0, 1.0], [1.0, 1.0 + 2.0**-23]])  # one bit of float32
    products = dot_products(gradients, gradients)
    assert torch.equal(products, products.T)
    assert products.det() == pytest.approx(2.0**-46)
    assert (gradients @ gradients.T).det() != pytest.approx(2.0**-46)
