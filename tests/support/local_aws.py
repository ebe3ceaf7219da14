"""The stand-in for AWS on this machine: moto's server, taught what EMR does with a cluster.

    python -m tests.support.local_aws        starts it and says how fruits-emr finds it; Ctrl-C ends it

moto knows no waiting and no failing stacks; `courses` says how one goes. It makes of an
`AWS::EMR::Cluster` one without steps, which ends at once. Here a cluster takes its template's steps, has a
master on EC2, and with each look that somebody takes at it goes one step further: a run is waiting, running,
completed (or failed); then the cluster ends, or waits if it is told to stay. Nothing is run: what a run
leaves is put into the bucket by `on_run`.
"""

import gzip
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.cloudformation.models import CloudFormationBackend, Event
from moto.ec2.models.route_tables import RouteTable
from moto.emr.models import Cluster, ElasticMapReduceBackend
from moto.emr.responses import ElasticMapReduceResponse
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_NEXT = {"PENDING": "RUNNING", "RUNNING": "COMPLETED"}
_ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")


class LocalAws:
    """What the stand-in does; the attributes may be changed at any time.

    Attributes:
        step_end: How the next steps end: COMPLETED or FAILED.
        on_run: Is called with a step's command when it has completed.
        held: Let clusters stay as they are.
        courses: By the name of a stack, what the next looks at it find: its status and, if a resource has
            failed by then, why.
    """

    def __init__(self) -> None:
        self.step_end = "COMPLETED"
        self.on_run: Callable[[str], None] = lambda command: None
        self.held = False
        self.courses: dict[str, list[tuple[str, str | None]]] = {}

    @contextmanager
    def taught(self) -> Iterator[None]:
        """Let moto, in this process, do as AWS does."""
        describe = ElasticMapReduceResponse.describe_cluster
        create = Cluster.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]
        terminate = Cluster.terminate
        find = CloudFormationBackend.describe_stacks
        local = self

        def found(backend: CloudFormationBackend, name: str) -> Any:
            stacks = find(backend, name)
            for stack in stacks:
                if local.courses.get(stack.name):
                    local._take_course(stack, *local.courses[stack.name].pop(0))
            return stacks

        def described(response: ElasticMapReduceResponse) -> Any:
            answer = describe(response)
            # The answer is serialized after this, so the look comes first.
            local._go_on(response.backend.describe_cluster(response._get_param("ClusterId")))
            return answer

        def created(
            cls: type[Cluster], name: str, template: Any, account_id: str, region: str, **more: Any
        ) -> Any:
            properties = template["Properties"]
            # An `If` without a value leaves a hole in moto's list, where CloudFormation leaves nothing.
            steps = [one for one in properties.get("Steps") or [] if one]
            stays = str(properties["Instances"].get("KeepJobFlowAliveWhenNoSteps")).lower() == "true"
            with patch.object(Cluster, "terminate", lambda cluster: None):
                cluster = create(cls, name, template, account_id, region, **more)
            cluster.keep_job_flow_alive_when_no_steps = stays
            local._start(cluster, steps)
            return cluster

        def terminated(cluster: Cluster) -> None:
            terminate(cluster)
            for step in cluster.steps:
                if step.state in _NEXT:
                    step.state = "CANCELLED"
            machines = [one.ec2_instance_id for one in cluster.ec2_instances]
            if machines:
                cluster.emr_backend.ec2_backend.terminate_instances(machines)
            cluster.ec2_instances.clear()

        def delete(table: RouteTable, account_id: str, region: str) -> None:
            table.ec2_backend.route_tables.pop(table.id, None)

        with (
            # moto looks for EMR's region in a host name that a server on loopback does not have, and takes
            # us-east-1; its other services read it from the signature, which is what is inherited then.
            _without(ElasticMapReduceResponse, "get_region_from_url"),
            patch.object(ElasticMapReduceResponse, "describe_cluster", described),
            patch.object(CloudFormationBackend, "describe_stacks", found),
            patch.object(Cluster, "create_from_cloudformation_json", classmethod(created)),
            patch.object(Cluster, "terminate", terminated),
            # Its CloudFormation deletes no route table, and so no network.
            patch.object(RouteTable, "delete", delete, create=True),
        ):
            yield

    def _start(self, cluster: Cluster, steps: list[dict[str, Any]]) -> None:
        backend: ElasticMapReduceBackend = cluster.emr_backend
        cluster.state = "RUNNING" if steps else "WAITING"
        for one in steps:
            cluster.add_steps([{"name": one["Name"], "hadoop_jar_step": one["HadoopJarStep"]}])
        (group,) = backend.add_instance_groups(
            cluster.id,
            [
                {
                    "instance_count": 1,
                    "instance_role": "MASTER",
                    "instance_type": "m5.xlarge",
                    "name": "master",
                }
            ],
        )
        backend.run_instances(cluster.id, {"instance_count": 1, "instance_type": "m5.xlarge"}, group)

    @staticmethod
    def _take_course(stack: Any, status: str, reason: str | None) -> None:
        stack.status = status
        if reason is not None:
            words = {"resource_status": "CREATE_FAILED", "resource_status_reason": reason}
            place = {
                "logical_resource_id": "Cluster",
                "physical_resource_id": "",
                "resource_properties": None,
            }
            kind = {
                "stack_id": stack.stack_id,
                "stack_name": stack.name,
                "resource_type": "AWS::EMR::Cluster",
            }
            stack.events.append(Event(**words, **place, **kind))

    def _go_on(self, cluster: Cluster) -> None:
        if self.held:
            return
        step = next((one for one in cluster.steps if one.state in _NEXT), None)
        if step is not None:
            step.state = self.step_end if step.state == "RUNNING" else _NEXT[step.state]
            cluster.state = "RUNNING"
            if step.state in ("COMPLETED", "FAILED"):
                self._copy_logs(cluster, step)
            if step.state == "COMPLETED":
                self.on_run(step.args[-1])
        elif cluster.state == "RUNNING" and cluster.keep_job_flow_alive_when_no_steps:
            cluster.state = "WAITING"
        elif cluster.state == "RUNNING":
            cluster.terminate()

    def _copy_logs(self, cluster: Cluster, step: Any) -> None:
        bucket = str(cluster.log_uri).removeprefix("s3://").partition("/")[0]
        folder = f"Logs/{cluster.id}/steps/{step.id}"
        said = f"(the stand-in has run nothing)\n{step.args[-1]}\n{step.state}\n"
        s3_backends[ACCOUNT]["aws"].put_object(bucket, f"{folder}/stderr.gz", gzip.compress(said.encode()))


@contextmanager
def _without(owner: type, name: str) -> Iterator[None]:
    kept = owner.__dict__[name]
    delattr(owner, name)
    try:
        yield
    finally:
        setattr(owner, name, kept)


@contextmanager
def serve() -> Iterator[tuple[LocalAws, str]]:
    """Start the stand-in on a free port of 127.0.0.1; yields it and its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    local = LocalAws()
    try:
        with local.taught():
            yield local, f"http://{host}:{port}"
    finally:
        server.stop()


if __name__ == "__main__":
    with serve() as (_, address):
        settings = {"AWS_ENDPOINT_URL": address, "AWS_REGION": "eu-west-3", **CREDENTIALS}
        print("export " + " ".join(f"{name}={value}" for name, value in settings.items()), flush=True)
        try:
            while os.getppid():
                time.sleep(1)
        except KeyboardInterrupt:
            pass
