"""Kinds of targets: one file each, registered here.

A kind is asked for an absolute state, and whether it stands is read back, never concluded from an accepted call.
"""

from drops.scaling.targets.aurora_class import AuroraClass
from drops.scaling.targets.aurora_serverless import AuroraServerless
from drops.scaling.targets.base import Asked, BadWhere, Faulty, Field, Kind, Missing, Reading, Refused, Unknown
from drops.scaling.targets.celery import Celery
from drops.scaling.targets.ecs import EcsService
from drops.scaling.targets.gunicorn import Gunicorn
from drops.scaling.targets.kubernetes import Deployment
from drops.scaling.targets.kubernetes_hpa import Autoscaler
from drops.scaling.targets.kubernetes_keda import ScaledObject
from drops.scaling.targets.lambda_ import LambdaConcurrency
from drops.scaling.targets.webhook import Webhook

__all__ = ["KINDS", "Asked", "BadWhere", "Faulty", "Field", "Kind", "Missing", "Reading", "Refused", "Unknown"]

KINDS: dict[str, type[Kind]] = {
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
