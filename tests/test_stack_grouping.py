"""Which runs are stacked, and how that is said."""

import json

from stacks import base, option

from mlp_study.config import check
from mlp_study.engines.stack.grouping import Stack, bytes_per_member, describe, plan


def test_plan_tells_what_stacks_from_what_splits():
    values = base("data=digits")

    def cell(**changes):
        changed = json.loads(json.dumps(values))
        for key, value in changes.items():
            section, _, name = key.partition("__")
            if name:
                changed[section][name] = value
            else:
                changed[section] = value
        return check(changed)

    same = [
        cell(), cell(seed=3), cell(optim=option("optim", "adam")), cell(init=option("init", "zeros")),
        cell(model__l2=0.1),
        cell(model__dropout=0.5), cell(schedule=option("schedule", "cosine")), cell(trainer__gradient_clip_val=1.0),
        cell(callbacks=option("callbacks", "early_stopping")), cell(model__activation=["tanh"]),
    ]  # fmt: skip
    assert len(plan(same)) == 1
    other = [
        cell(model__hidden=[50]), cell(model__activation="relu"), cell(data__batch_size=64),
        cell(trainer__max_epochs=3), cell(loss="mse"), cell(model__batch_norm=True), cell(data__scaling="minmax"),
        cell(trainer__precision="64-true"),
    ]  # fmt: skip
    stacks = plan([*same, *other])
    assert [len(stack.members) for stack in stacks] == [10] + [1] * 8
    text = "\n".join(describe(stacks, 18))
    assert "18 runs in 9 stacks" in text
    assert "model.hidden" in text.splitlines()[-1]
    assert [len(stack.members) for stack in plan(same, max_members=4)] == [4, 4, 2]
    assert [len(stack.members) for stack in plan(same, memory=3 * bytes_per_member(same[0]) + 1)] == [3, 3, 3, 1]
    assert [len(stack.members) for stack in plan(same, memory=1)] == [1] * 10
    assert plan([cell(seed=1), cell(seed=0), cell(seed=1)])[0] == Stack([1, 0, 2], plan(same)[0].shared)


def test_max_members_is_obeyed_and_checked(train):
    common = ["-m", "seed=0,1,2", "experiment=quick", "trainer.max_epochs=1", "logger=none"]
    assert "3 runs in 2 stacks" in train(*common, "hydra.launcher.max_members=2").out
    outcome = train(*common, "hydra.launcher.max_members=0")
    assert outcome.code == 2
    assert "max_members=0" in outcome.err
