"""From the command line to the request that a run starts from."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.local.registries import public_hosts
from fanfold.bootstrap import prices_of, secret_scanner
from fanfold.cli.engines import LOCAL, engine_of
from fanfold.cli.engines.whereabouts import place_of
from fanfold.cli.output import counted, tell
from fanfold.cli.predictions import predictions
from fanfold.cli.selection import chosen_tasks
from fanfold.errors import InvalidRepository, UserError
from fanfold.plan.graph import OPEN_BELOW_DONE
from fanfold.run.events import RunLimits, RunOptions
from fanfold.steps.admit import admission, require_no_secret
from fanfold.steps.request import Request, run_identity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fanfold.adapters.git.status import Head
    from fanfold.bootstrap import Project
    from fanfold.plan.model import Graph, Plan


def build_request(
    project: Project, plan: Plan, args: argparse.Namespace, cap: int, base: Base | None = None
) -> Request:
    """The request, after everything that can be wrong with it was looked at; nothing is written.

    It starts from `base`, where that was settled for several plans together.

    Raises:
        UserError: what the command line, the repository, the plan, the key or the price lacks.
    """
    alone = base is None
    base = base or base_of(project, [plan], args)
    settings = project.settings
    limits = settings.limits
    branch = project.repository.head().branch or ""
    name, only = _project_name(project, args), chosen_tasks(plan, args)
    request = Request(
        run_id=run_identity(name, branch, base.commit, plan.sha256, _nonce(args, only)),
        project=name,
        plan_path=plan.path,
        plan_sha256=plan.sha256,
        base=base.commit,
        base_tree=base.tree,
        branch=branch,
        author=project.repository.author(),
        limits=RunLimits(
            cap=cap,
            slice=min(settings.slice, cap),
            concurrency=args.concurrency or limits.concurrency,
            attempts=limits.attempts,
            steps=limits.steps,
            minutes=limits.minutes,
            command_s=limits.command_s,
        ),
        options=RunOptions(
            engine=args.engine,
            gates=args.gates or ("defer" if args.detach else "ask"),
            candidates=args.candidates,
            review=args.review,
            model=args.model,
            unit=args.unit,
            parallel=args.parallel,
            sandbox=not args.no_sandbox,
            only=only,
        ),
        checks=settings.run_checks(tuple(args.check)),
        unit_checks=settings.unit_checks(),
        models={"": settings.model.name, **settings.model.roles},
        efforts=settings.model.effort,
        context_deny=settings.context.deny,
        roles=settings.roles,
        network=settings.network.allow,
        prepare=settings.prepare.commands,
        image=settings.cloud.image,
        prepare_network=public_hosts(settings.prepare.network),
        left_out=base.left_out,
        provider=settings.model.played_by,
        predicted=predictions(plan, args),
    )
    _check(project, plan, request)
    if alone:
        tell_of(request)
    return request


def tell_of(request: Request) -> None:
    """What a person should know before it starts."""
    if request.left_out:
        changes = counted(request.left_out, "uncommitted change is", "uncommitted changes are")
        tell(f"{changes} left out (--include-dirty takes them in)")
    if not request.checks:
        tell("no check is configured: the result will be unverified (--check CMD adds one)")


def tell_of_plan(plan: Plan, graph: Graph) -> None:
    """What of the plan will probably not be done by agents, or not at all."""
    chosen = {task for unit in graph.units for task in unit.tasks}
    lines = {task.line for task in plan.tasks if task.id in chosen}
    for warning in graph.warnings:
        flagged = warning.code.startswith("needs_") and warning.line in lines
        if flagged or warning.code == OPEN_BELOW_DONE:
            tell(f"{plan.path}:{warning.line}: {warning.text}")


def _project_name(project: Project, args: argparse.Namespace) -> str:
    """In the cloud all clones of a repository are one project."""
    if args.engine == LOCAL:
        return project.name
    return place_of(project, project.settings.cloud).project


def _nonce(args: argparse.Namespace, only: Sequence[str]) -> str:
    """What makes this run another than one of the same plan on the same base.

    In the cloud nothing but other tasks does: who asks twice means one run.
    """
    if args.engine == LOCAL or args.rerun:
        return uuid.uuid4().hex
    return ",".join(sorted(only))


class Base(NamedTuple):
    """The commit that a run starts from; `left_out` counts the changes that are not in it."""

    commit: str
    tree: str
    left_out: int


def base_of(project: Project, plans: Sequence[Plan], args: argparse.Namespace) -> Base:
    """A commit that the user has, or a snapshot on top of it, with the plans as they will run."""
    repository, head = project.repository, _head(project, args)
    changes = head.modified + head.staged + head.untracked + head.unmerged
    if args.include_dirty and args.base is not None:
        raise UserError("--include-dirty starts from HEAD; leave out --base")
    commit = repository.commit_of(args.base or "HEAD")
    committed = repository.tree_of(commit)
    if args.include_dirty:
        tree, left_out, what = repository.dirty_tree(), 0, "what was not committed yet"
    else:
        tree, what = committed, "the plan as it is run"
        for plan in plans:
            tree = repository.replace(tree, plan.path, plan.data)
        in_head = repository.tree_of("HEAD")
        taken = sum(repository.read(in_head, plan.path) != plan.data for plan in plans)
        left_out = max(0, changes - taken)
    if tree == committed:
        return Base(commit, tree, left_out)
    # The same content makes the same commit, and so the same run.
    when, author = repository.time_of(commit), repository.author()
    snapshot = repository.commit(tree, commit, f"fanfold: {what}\n", when, author)
    return Base(snapshot, tree, left_out)


def _head(project: Project, args: argparse.Namespace) -> Head:
    head = project.repository.head()
    if head.branch is None and args.base is None:
        raise InvalidRepository("HEAD is detached: `git switch -c NAME` first, or pass --base HEAD")
    if head.operation:
        raise InvalidRepository(f"a {head.operation} is in progress: finish or abort it first")
    if head.submodules:
        raise InvalidRepository(f"submodules are not supported: {', '.join(head.submodules)}")
    return head


def _check(project: Project, plan: Plan, request: Request) -> None:
    """Everything that would fail the run later: plan, graph, prices, the model, the sandbox."""
    require_no_secret(plan.path, plan.data, secret_scanner())
    admission(plan, request)
    prices = prices_of(project.settings)
    for model in request.named_models:
        prices.worst_case(model, 1, 1)
    engine_of(project, request.options.engine).examine(request)
