"""Providers: one file each, registered here.

A provider applies an absolute state. Whether the target has reached it is read back, never concluded from an
accepted call.
"""

from drops.scaling.providers.aws.aurora_class import AuroraClass
from drops.scaling.providers.aws.aurora_serverless import AuroraServerless
from drops.scaling.providers.aws.ecs import EcsService
from drops.scaling.providers.aws.lambda_ import LambdaConcurrency
from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    ExtraNotInstalled,
    Field,
    OutcomeUnclear,
    Provider,
    ProviderError,
    Reading,
)
from drops.scaling.providers.kubernetes.deployment import Deployment
from drops.scaling.providers.kubernetes.hpa import Autoscaler
from drops.scaling.providers.kubernetes.keda import ScaledObject
from drops.scaling.providers.local.celery import Celery
from drops.scaling.providers.local.gunicorn import Gunicorn
from drops.scaling.providers.webhook import Webhook

__all__ = [
    "PROVIDERS",
    "Applied",
    "ApplyRefused",
    "BadLocator",
    "ExtraNotInstalled",
    "Field",
    "OutcomeUnclear",
    "Provider",
    "ProviderError",
    "Reading",
]

PROVIDERS: dict[str, type[Provider]] = {
    "aurora-class": AuroraClass,
    "aurora-serverless": AuroraServerless,
    "celery": Celery,
    "ecs": EcsService,
    "gunicorn": Gunicorn,
    "hpa": Autoscaler,
    "keda": ScaledObject,
    "kubernetes": Deployment,
    "lambda": LambdaConcurrency,
    "webhook": Webhook,
}
