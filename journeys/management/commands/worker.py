"""`manage.py worker`: work off the queues."""

import os
import sys
import time
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections, connections
from redis.exceptions import RedisError
from rq import Queue
from rq.worker import SimpleWorker, Worker

from journeys.management.processes import Supervisor, die_with_parent


class Tuned:
    """What both kinds of worker have in common.

    RQ's own intervals let a scheduler that died stay dead for thirteen minutes, and an orphaned
    job wait for ten; these bring both down to about one.
    """

    max_connection_wait_time = 5.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("maintenance_interval", 30)
        kwargs.setdefault("job_monitoring_interval", 10)
        kwargs.setdefault("worker_ttl", 60)
        kwargs.setdefault("log_job_description", False)
        super().__init__(*args, **kwargs)

    def perform_job(self, *args: Any, **kwargs: Any) -> bool:
        """Do a job with a database connection that is known to work."""
        close_old_connections()
        try:
            return super().perform_job(*args, **kwargs)  # type: ignore[misc]
        finally:
            close_old_connections()


class QueueWorker(Tuned, Worker):
    """A worker that forks for each job: a job that eats all memory takes only itself down."""


class SimpleQueueWorker(Tuned, SimpleWorker):
    """A worker that does its jobs itself, which is several times faster."""


class Command(BaseCommand):
    """Run an RQ worker for one queue, or one for each queue.

    A worker listens on one queue only: listening on several, RQ loses the job it was just handed
    when it is killed.
    """

    help = "Work off the queues: one worker process for each, or for the one that is named."

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the command line."""
        parser.add_argument("queue", nargs="?", choices=sorted(settings.RQ_QUEUES))
        parser.add_argument(
            "--simple", action="store_true", help="Do jobs in the worker itself instead of forking."
        )
        parser.add_argument(
            "--burst", action="store_true", help="Stop when the queue is empty (with a queue only)."
        )

    def handle(self, *, queue: str | None, simple: bool, burst: bool, **options: Any) -> None:
        """Work until told to stop."""
        if queue is None:
            self.supervise(simple)
        else:
            self.work(django_rq.get_queue(queue), simple, burst)

    def supervise(self, simple: bool) -> None:
        """Keep one worker process running for each queue."""
        worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]
        with Supervisor() as supervisor:
            for queue in settings.RQ_QUEUES:
                supervisor.add(queue, [*worker, queue, *(["--simple"] if simple else [])])
            supervisor.run()

    def work(self, queue: Queue, simple: bool, burst: bool) -> None:
        """Work off one queue."""
        self.wait_for_redis(queue)
        # RQ forks a scheduler, and a process for each job, and leaves both behind when it is
        # killed: the job would then run a second time beside the first.
        os.register_at_fork(after_in_child=die_with_parent)
        connections.close_all()
        worker_class = SimpleQueueWorker if simple else QueueWorker
        worker = worker_class([queue], connection=queue.connection, serializer=queue.serializer)
        self.stderr.write(f"Working off the queue “{queue.name}”.")
        worker.work(burst=burst, with_scheduler=True)
        if not (burst or worker._shutdown_requested_date):
            raise CommandError("The worker ended by itself.")

    def wait_for_redis(self, queue: Queue) -> None:
        """Return as soon as Redis answers; until then the clock does the work."""
        said = False
        while True:
            try:
                queue.connection.ping()
            except RedisError:
                if not said:
                    self.stderr.write("Redis does not answer. Waiting for it.")
                    said = True
                time.sleep(1)
            else:
                # The worker waits longer for an answer than those who only hand in jobs.
                queue.connection.close()
                return
