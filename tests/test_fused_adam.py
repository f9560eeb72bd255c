from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW

from mtlbench.fused_adam import FusedAdam
from mtlbench.ops import backend

Options = dict[str, Any]
Kind = Callable[..., torch.optim.Optimizer]
CONFIGURATIONS: list[tuple[Kind, Options, Options]] = [
    (Adam, {}, {}),
    (Adam, {"weight_decay": 0.1}, {}),
    (Adam, {"amsgrad": True, "maximize": True, "eps": 1e-4}, {}),
    (AdamW, {"weight_decay": 0.1, "betas": (0.8, 0.95)}, {"decoupled": True}),
    (AdamW, {"weight_decay": 0.1, "amsgrad": True}, {"decoupled": True}),
]


@pytest.fixture(params=["kernels", "reference"], autouse=True)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "reference":
        monkeypatch.setattr(backend, "module", None)
        monkeypatch.setattr(backend, "library", lambda device: None)
    elif backend.module is None:
        pytest.skip(backend.backend().reason)
    name: str = request.param
    return name


def model(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3)).to(dtype)


def linear(net: nn.Sequential, place: int) -> nn.Linear:
    layer = net[place]
    assert isinstance(layer, nn.Linear)
    return layer


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, first: int = 0) -> float:
    """The same random batches for the same numbers of steps."""
    loss = torch.zeros(())
    for k in range(first, first + steps):
        random = torch.Generator().manual_seed(k)
        x, y = torch.randn(32, 8, generator=random), torch.randn(32, 3, generator=random)
        dtype = next(net.parameters()).dtype
        optimizer.zero_grad()
        loss = ((net(x.to(dtype)) - y.to(dtype)) ** 2).mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def assert_same(ours: nn.Module, theirs: nn.Module, rtol: float = 1e-4, atol: float = 2e-6) -> None:
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("peer", "shared", "own"), CONFIGURATIONS, ids=str)
def test_200_steps_equal_torch(peer: Kind, shared: Options, own: Options) -> None:
    ours, theirs = model(), model()
    train(ours, FusedAdam(ours.parameters(), lr=3e-3, **shared, **own), 200)
    train(theirs, peer(theirs.parameters(), lr=3e-3, **shared), 200)
    assert_same(ours, theirs)


@pytest.mark.parametrize(("peer", "shared", "own"), CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("peer_options", [{}, {"foreach": True}, {"fused": True}, {"capturable": False}], ids=str)
def test_a_run_may_switch_between_torch_and_ours(
    peer: Kind, shared: Options, own: Options, peer_options: Options
) -> None:
    switching, staying = model(), model()
    reference = peer(staying.parameters(), lr=3e-3, **shared)
    train(staying, reference, 60)

    def switch(to: Kind, given: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = to(given)
        optimizer.load_state_dict(copy.deepcopy(state))
        return optimizer

    optimizer = peer(switching.parameters(), lr=3e-3, **shared, **peer_options)
    train(switching, optimizer, 20)
    state = optimizer.state_dict()
    optimizer = switch(lambda p: FusedAdam(p, lr=1.0), switching.parameters())  # settings come with the state
    train(switching, optimizer, 20, first=20)
    state = optimizer.state_dict()
    optimizer = switch(lambda p: peer(p, lr=1.0, **peer_options), switching.parameters())
    train(switching, optimizer, 20, first=40)
    assert_same(switching, staying)
    for p, q in zip(switching.parameters(), staying.parameters(), strict=True):
        assert optimizer.state[p]["step"] == reference.state[q]["step"] == 60


def test_old_checkpoints_hold_the_step_as_a_number() -> None:
    net = model()
    optimizer = Adam(net.parameters())
    train(net, optimizer, 2)
    state = optimizer.state_dict()
    for kept in state["state"].values():
        kept["step"] = int(kept["step"])
    ours = FusedAdam(net.parameters())
    ours.load_state_dict(state)
    train(net, ours, 1)
    assert all(kept["step"] == 3 for kept in ours.state.values())


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "torch.save"])
def test_copies_continue_alike(way: str) -> None:
    net = model()
    optimizer = FusedAdam(net.parameters(), lr=3e-3, amsgrad=True)
    train(net, optimizer, 5)
    if way == "pickle":
        net_, optimizer_ = pickle.loads(pickle.dumps((net, optimizer)))
    elif way == "deepcopy":
        net_, optimizer_ = copy.deepcopy((net, optimizer))
    else:
        file = io.BytesIO()
        torch.save((net.state_dict(), optimizer.state_dict()), file)
        file.seek(0)
        weights, state = torch.load(file, weights_only=True)
        net_ = model(1)
        net_.load_state_dict(weights)
        optimizer_ = FusedAdam(net_.parameters())
        optimizer_.load_state_dict(state)
    assert train(net, optimizer, 5, first=5) == train(net_, optimizer_, 5, first=5)
    for p, q in zip(net.parameters(), net_.parameters(), strict=True):
        assert torch.equal(p, q)


def test_parameters_without_gradients_are_skipped_and_keep_their_count() -> None:
    used, idle = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = FusedAdam([used, idle])
    used.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(idle, torch.ones(3))
    assert idle not in optimizer.state
    idle.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state[used]["step"] == 2
    assert optimizer.state[idle]["step"] == 1
    assert torch.allclose(idle, torch.tensor(1 - 1e-3))


def test_groups_with_their_own_settings_and_later_groups() -> None:
    ours, theirs = model(), model()
    optimizers = []
    pairs: tuple[tuple[nn.Sequential, Kind], ...] = ((ours, FusedAdam), (theirs, Adam))
    for net, kind in pairs:
        optimizer = kind([{"params": net[0].weight, "lr": 1e-2}, {"params": [net[0].bias], "betas": (0.5, 0.9)}])
        train(net, optimizer, 3)
        optimizer.add_param_group({"params": net[2].parameters(), "weight_decay": 0.1})
        train(net, optimizer, 3, first=3)
        optimizers.append(optimizer)
    assert_same(ours, theirs)


def test_the_first_group_may_be_empty() -> None:
    ours, theirs = model(), model()
    for net, kind in ((ours, FusedAdam), (theirs, torch.optim.Adam)):
        groups: list[dict[str, Any]] = [{"params": []}, {"params": list(net.parameters())}]
        train(net, kind(groups), 3)
    assert_same(ours, theirs)


def test_schedulers_and_hooks() -> None:
    ours, theirs = model(), model()
    called = []
    pairs: tuple[tuple[nn.Sequential, Kind], ...] = ((ours, FusedAdam), (theirs, Adam))
    for net, kind in pairs:
        optimizer = kind(net.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(lambda *_: called.append("before"))
        optimizer.register_step_post_hook(lambda *_: called.append("after"))
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        for k in range(5):
            train(net, optimizer, 1, first=k)
            schedule.step()
    assert_same(ours, theirs)
    assert called == ["before", "after"] * 10


@pytest.mark.parametrize("shape", [(), (1,)])
def test_lr_as_a_tensor(shape: tuple[int, ...]) -> None:
    ours, theirs, lr = model(), model(), torch.full(shape, 0.05)
    optimizer = FusedAdam(ours.parameters(), lr=lr)
    train(ours, optimizer, 2)
    lr.fill_(0.01)  # as a captured graph is told a new one
    train(ours, optimizer, 2, first=2)
    reference = Adam(theirs.parameters(), lr=0.05)
    train(theirs, reference, 2)
    reference.param_groups[0]["lr"] = 0.01
    train(theirs, reference, 2, first=2)
    assert_same(ours, theirs)


def test_closure_is_called_with_gradients_enabled() -> None:
    net = model()
    optimizer = FusedAdam(net.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = net(torch.ones(1, 8)).sum()
        loss.backward()
        return loss

    first, second = optimizer.step(closure), optimizer.step(closure)
    assert second < first


def test_grad_scaler_scales_and_skips() -> None:
    ours, theirs = model(), model()
    results = []
    runs: tuple[tuple[nn.Sequential, Kind, Options], ...] = ((ours, FusedAdam, {}), (theirs, Adam, {"fused": True}))
    for net, kind, options in runs:
        optimizer = kind(net.parameters(), lr=0.01, **options)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
        for k in range(6):
            random = torch.Generator().manual_seed(k)
            optimizer.zero_grad()
            loss = (net(torch.randn(4, 8, generator=random)) ** 2).mean()
            scaler.scale(loss * (torch.inf if k == 3 else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()
        results.append((scaler.get_scale(), optimizer.state[linear(net, 0).weight]["step"].item()))
        assert not hasattr(optimizer, "grad_scale")
    assert results[0] == results[1] == (2.0**11, 5)
    assert_same(ours, theirs)


def test_bfloat16_parameters_keep_float32_states() -> None:
    net = model(dtype=torch.bfloat16)
    optimizer = FusedAdam(net.parameters(), lr=0.01)
    first = train(net, optimizer, 1)
    assert all(kept["exp_avg"].dtype == torch.float32 for kept in optimizer.state.values())
    again = FusedAdam(net.parameters())
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for p in net.parameters():
        assert torch.equal(again.state[p]["exp_avg"], optimizer.state[p]["exp_avg"])
    assert train(net, again, 60) < first
    theirs = AdamW(net.parameters())
    theirs.load_state_dict(again.state_dict())
    assert all(kept["exp_avg"].dtype == torch.bfloat16 for kept in theirs.state.values())
    again.load_state_dict(copy.deepcopy(theirs.state_dict()))  # bfloat16 states are taken as they come
    train(net, again, 1)


def test_mixed_dtypes_in_one_group() -> None:
    params = [nn.Parameter(torch.ones(4, dtype=d)) for d in (torch.float32, torch.bfloat16, torch.float64, torch.half)]
    optimizer = FusedAdam(params, lr=0.5)
    for param in params:
        param.grad = torch.ones_like(param)
    optimizer.step()
    for param in params:
        assert torch.allclose(param.float(), torch.full((4,), 0.5), atol=1e-3)


def task_gradients(net: nn.Module, losses: Tensor | Sequence[Tensor]) -> list[tuple[Tensor | None, ...]]:
    params = list(net.parameters())
    return [torch.autograd.grad(loss, params, retain_graph=True, allow_unused=True) for loss in losses]


def test_task_gradients_are_weighted_and_added() -> None:
    ours, theirs = model(), model()
    weights = torch.tensor([0.25, -1.0, 2.0])
    optimizer, reference = FusedAdam(ours.parameters(), lr=0.01), Adam(theirs.parameters(), lr=0.01)
    for k in range(5):
        x = torch.randn(16, 8, generator=torch.Generator().manual_seed(k))
        losses = (ours(x) ** 2).mean(0)
        gradients = [*task_gradients(ours, losses[:2]), [None, None, *task_gradients(ours, losses[2:])[0][2:]]]
        total = optimizer.step(task_gradients=gradients, task_weights=weights, task_losses=losses)
        reference.zero_grad()
        of_model = theirs(x) ** 2
        own = of_model.mean(0)
        trunk = [p.detach() for p in theirs[0].parameters()]
        last = torch.func.functional_call(theirs, {"0.weight": trunk[0], "0.bias": trunk[1]}, (x,))[:, 2]
        (weights[:2] @ own[:2] + weights[2] * (last**2).mean()).backward()
        reference.step()
        torch.testing.assert_close(total, (weights * losses).sum().detach())
    assert_same(ours, theirs)


def test_task_gradients_over_several_groups() -> None:
    ours, theirs = model(), model()
    groups = [{"params": ours[0].parameters(), "lr": 0.1}, {"params": ours[2].parameters(), "lr": 0.01}]
    same = [{"params": theirs[0].parameters(), "lr": 0.1}, {"params": theirs[2].parameters(), "lr": 0.01}]
    optimizer, reference = FusedAdam(groups), Adam(same)
    losses = (ours(torch.ones(2, 8)) ** 2).mean(0)
    total = optimizer.step(task_gradients=task_gradients(ours, losses), task_losses=list(losses))
    assert total == pytest.approx(losses.sum().item())
    (theirs(torch.ones(2, 8)) ** 2).mean(0).sum().backward()
    reference.step()
    assert_same(ours, theirs)


def test_total_loss_beside_combined_gradients() -> None:
    net = model()
    optimizer = FusedAdam(net.parameters(), lr=0.01)
    other = copy.deepcopy((net, optimizer))
    for p, q in zip(net.parameters(), other[0].parameters(), strict=True):
        p.grad = q.grad = torch.ones_like(p)
    assert optimizer.step(task_losses=[torch.tensor(3.0)], task_weights=[0.5]) == 1.5
    assert other[1].step() is None
    assert_same(net, other[0], rtol=0, atol=0)  # .grad counts as weighted: it is not weighted again


def test_total_loss_without_any_gradient() -> None:
    optimizer = FusedAdam(model().parameters())
    assert optimizer.step(task_losses=torch.tensor([1.0, 2.0]), task_weights=[2.0, 0.5]) == 3.0


def test_state_replaced_by_the_user_is_used() -> None:
    net = model()
    optimizer = FusedAdam(net.parameters())
    train(net, optimizer, 2)
    weight, last = linear(net, 0).weight, linear(net, 2).bias
    optimizer.state[weight]["exp_avg"] = torch.full_like(weight, 100.0)
    optimizer.state[last] = {}
    train(net, optimizer, 1, first=2)
    assert (optimizer.state[weight]["exp_avg"] > 80).all()
    assert optimizer.state[last]["step"] == 1
    optimizer.state.clear()
    train(net, optimizer, 1, first=3)
    assert all(kept["step"] == 1 for kept in optimizer.state.values())


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_state_may_be_in_any_order(groups: int) -> None:
    """Lookups follow the order of the state as long as it is that of the parameters."""
    nets = [model(), model()]
    optimizers = []
    for net in nets:
        params = list(net.parameters())
        size = len(params) // groups
        optimizers.append(FusedAdam([{"params": params[i : i + size]} for i in range(0, len(params), size)]))
        train(net, optimizers[-1], 2)
    state = optimizers[1].state
    mixed = [*reversed(state.items())]
    mixed.append(mixed.pop(1))
    state.clear()
    state.update(mixed)
    for net, optimizer in zip(nets, optimizers, strict=True):
        train(net, optimizer, 3, first=2)
    assert all(map(torch.equal, nets[0].parameters(), nets[1].parameters()))
    assert all(kept["step"] == 5 for kept in state.values())


def test_without_bias_correction() -> None:
    param = nn.Parameter(torch.tensor([1.0]))
    optimizer = FusedAdam([param], lr=1.0, betas=(0.5, 0.75), eps=0.5, bias_correction=False)
    param.grad = torch.tensor([2.0])
    optimizer.step()
    assert param.item() == pytest.approx(1.0 - 1.0 / (1.0 + 0.5))  # m = 1, v = 1


def test_sparse_gradients_are_refused(form: str) -> None:
    if form == "reference":
        pytest.skip("torch's operations refuse by themselves")
    embedding = nn.Embedding(10, 3, sparse=True)
    optimizer = FusedAdam(embedding.parameters())
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match="SparseAdam"):
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, "expected lr >= 0, got -1.0"),
        ({"lr": float("nan")}, ValueError, "expected lr"),
        ({"lr": torch.tensor(-1.0)}, ValueError, "expected lr >= 0"),
        ({"lr": torch.tensor([float("nan")])}, ValueError, "expected lr >= 0"),
        ({"lr": torch.ones(2)}, ValueError, "lr of one element"),
        ({"eps": -1.0}, ValueError, "expected eps"),
        ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\] < 1"),
        ({"weight_decay": -0.1}, ValueError, "expected weight_decay"),
    ],
)
def test_settings_out_of_range(options: Options, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FusedAdam([nn.Parameter(torch.ones(1))], **options)


def test_complex_parameters_are_refused() -> None:
    optimizer = FusedAdam([nn.Parameter(torch.ones(1))])
    with pytest.raises(TypeError, match="real floating-point"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1, dtype=torch.complex64))]})
    assert len(optimizer.param_groups) == 1


def test_lists_of_task_gradients_must_fit() -> None:
    net = model()
    with pytest.raises(ValueError, match=r"task_gradients\[1\] to hold .* each of the 4 parameters, got 3"):
        FusedAdam(net.parameters()).step(task_gradients=[[None] * 4, [None] * 3])
