"""The CDK app: writes the templates of all stacks to the folder that `CDK_OUTDIR` names."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.settings import from_context
from infra.sources import Sources
from infra.stacks.control import ControlStack
from infra.stacks.data import DataStack
from infra.stacks.egress import EgressStack
from infra.stacks.network import NetworkStack
from infra.stacks.watch import WatchStack

RULES = Path(__file__).with_name("infra") / "rules.guard"
FLAGS = json.loads(Path(__file__).with_name("cdk.json").read_text())["context"]


def build(outdir: str | None = None, *, sources: Sources | None = None, **context: str) -> cdk.App:
    """The app with all its stacks; its `synth` fails on a finding that nobody gave a reason for."""
    app = cdk.App(outdir=outdir, context={**FLAGS, **context}, analytics_reporting=False)
    settings = from_context(app.node)
    data = DataStack(app, settings.name("data"), settings=settings)
    network = NetworkStack(app, settings.name("network"), settings=settings, data=data)
    sources = sources or Sources()
    egress = None
    if settings.egress:
        egress = EgressStack(
            app,
            settings.name("egress"),
            settings=settings,
            sources=sources,
            data=data,
            network=network,
        )
    control = ControlStack(
        app,
        settings.name("control"),
        settings=settings,
        sources=sources,
        data=data,
        network=network,
        egress=egress,
    )
    WatchStack(app, settings.name("watch"), settings=settings, data=data, control=control)
    for field, value in settings.tags().items():
        cdk.Tags.of(app).add(field, value)
    cdk.Validations.of(app).add_plugins(
        AwsSolutionsChecks(app),
        ServerlessChecks(app),
        cdk.CloudFormationValidatePlugin(
            guard_rules=[cdk.ValidationRuleSource(name=RULES.stem, content=RULES.read_text())]
        ),
    )
    return app


if __name__ == "__main__":
    build().synth()
