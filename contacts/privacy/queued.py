"""What Redis keeps of a contact: jobs hold ids alone, but what one failed with may say more."""

from __future__ import annotations

import logging

import django_rq
from django.conf import settings
from redis.exceptions import RedisError
from rq.job import Job
from rq.registry import FailedJobRegistry

from contacts.privacy.subject import Subject

log = logging.getLogger(__name__)


def forget(subject: Subject) -> None:
    """Delete the failed jobs whose error speaks of the contact; they go by themselves soon too."""
    for name in settings.RQ_QUEUES:
        try:
            queue = django_rq.get_queue(name)
            registry = FailedJobRegistry(queue=queue)
            ids = registry.get_job_ids()
            for job in Job.fetch_many(
                ids, connection=queue.connection, serializer=queue.serializer
            ):
                if job is not None and subject.is_meant_by(_told(job)):
                    registry.remove(job, delete_job=True)
        except (RedisError, OSError) as error:
            log.warning("Redis is away (%s): failed jobs expire by themselves", error)
            return


def _told(job: Job) -> str:
    results = (result.exc_string for result in job.results())
    return " ".join(str(text) for text in (job.description, job.args, job.kwargs, *results) if text)
