"""Writes src/testdata/golden.json: messages as JSON beside the bytes that Google's protobuf for Python makes of them.

    python3 -m venv VENV && VENV/bin/pip install grpcio-tools
    VENV/bin/python proto/scripts/golden.py

Run it from the root of the repository when the .proto files or the messages below change.
"""

import importlib
import json
import pathlib
import sys
import tempfile

from google.protobuf import json_format
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).parent.parent
RESOURCES = [
    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}, "allocation_info": {"role": "eng/dev"}},
    {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31005}, {"begin": 32000, "end": 32000}]}},
    {"name": "zones", "type": "SET", "set": {"item": ["a", "b"]}},
    {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": 2048},
        "reservations": [{"type": "DYNAMIC", "role": "eng", "principal": "ops", "labels": {"labels": [{"key": "k", "value": "v"}]}}],
        "disk": {"persistence": {"id": "v1", "principal": "ops"}, "volume": {"container_path": "data", "mode": "RW"}},
        "shared": {},
    },
]
TASK = {
    "name": "täsk ✓",
    "task_id": {"value": "t-1"},
    "agent_id": {"value": "S0"},
    "resources": RESOURCES,
    "command": {
        "shell": False,
        "value": "/bin/echo",
        "arguments": ["echo", "hello"],
        "user": "nobody",
        "environment": {"variables": [{"name": "A", "type": "VALUE", "value": "1"}]},
        "uris": [{"value": "http://h/x.tgz", "extract": True, "cache": False, "executable": False, "output_file": "x"}],
    },
    "container": {"type": "MESOS", "volumes": [{"mode": "RO", "container_path": "c", "host_path": "/h"}], "network_infos": [{"name": "net", "groups": ["g"]}]},
    "health_check": {"type": "HTTP", "http": {"scheme": "http", "port": 8080, "path": "/health"}, "delay_seconds": 1.25, "consecutive_failures": 5},
    "kill_policy": {"grace_period": {"nanoseconds": 30000000000}},
    "max_completion_time": {"nanoseconds": 9007199254740991},
    "data": "AAEC/w==",
    "labels": {"labels": [{"key": "empty"}, {"key": "x", "value": "y"}]},
    "discovery": {"visibility": "CLUSTER", "name": "web", "ports": {"ports": [{"number": 80, "protocol": "tcp"}]}},
    "limits": {"mem": {"value": 64}},
}
MESSAGES = [
    ("mesos.v1.TaskInfo", TASK),
    ("mesos.v1.TimeInfo", {"nanoseconds": 9223372036854775807}),
    ("mesos.v1.TimeInfo", {"nanoseconds": -9223372036854775808}),
    ("mesos.v1.DurationInfo", {"nanoseconds": -1}),
    ("mesos.v1.Value.Range", {"begin": 0, "end": 18446744073709551615}),
    ("mesos.v1.ContainerID", {"value": "c", "parent": {"value": "p", "parent": {"value": "pp"}}}),
    ("mesos.v1.FrameworkInfo", {
        "user": "root", "name": "f", "id": {"value": "F"}, "failover_timeout": 3600.5, "checkpoint": True, "roles": ["a", "b/c"],
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}, {}],
        "offer_filters": {"a": {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": 0.01}}}]}}},
    }),
    ("mesos.v1.scheduler.Call", {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "", "name": ""}, "suppressed_roles": ["x"]}}),
    ("mesos.v1.scheduler.Call", {
        "type": "ACCEPT", "framework_id": {"value": "F"},
        "accept": {
            "offer_ids": [{"value": "O1"}, {"value": "O2"}],
            "operations": [
                {"type": "RESERVE", "id": {"value": "op"}, "reserve": {"resources": RESOURCES[:1]}},
                {"type": "LAUNCH", "launch": {"task_infos": [TASK]}},
                {"type": "LAUNCH_GROUP", "launch_group": {"executor": {"type": "DEFAULT", "executor_id": {"value": "e"}}, "task_group": {"tasks": [TASK]}}},
            ],
            "filters": {"refuse_seconds": 0.1},
        },
    }),
    ("mesos.v1.scheduler.Call", {"type": "ACKNOWLEDGE", "acknowledge": {"agent_id": {"value": "S"}, "task_id": {"value": "t"}, "uuid": "AQIDBAUGBwgJCgsMDQ4PEA=="}}),
    ("mesos.v1.scheduler.Event", {
        "type": "OFFERS",
        "offers": {"offers": [{
            "id": {"value": "O"}, "framework_id": {"value": "F"}, "agent_id": {"value": "S"}, "hostname": "h", "resources": RESOURCES,
            "attributes": [{"name": "rack", "type": "TEXT", "text": {"value": "r1"}}],
            "url": {"scheme": "http", "address": {"hostname": "h", "ip": "127.0.0.1", "port": 5051}, "path": "/slave(1)"},
            "allocation_info": {"role": "eng"},
        }]},
    }),
    ("mesos.v1.scheduler.Event", {
        "type": "UPDATE",
        "update": {"status": {
            "task_id": {"value": "t"}, "state": "TASK_RUNNING", "source": "SOURCE_EXECUTOR", "timestamp": 1700000000.25, "healthy": False,
            "reason": "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "uuid": "AQIDBAUGBwgJCgsMDQ4PEA==",
            "check_status": {"type": "COMMAND", "command": {"exit_code": -1}},
            "container_status": {"network_infos": [{"ip_addresses": [{"protocol": "IPv6", "ip_address": "::1"}]}], "executor_pid": 42},
        }},
    }),
    ("mesos.v1.master.Call", {"type": "UPDATE_QUOTA", "update_quota": {"force": True, "quota_configs": [{"role": "r", "guarantees": {"cpus": {"value": 1}}}]}}),
    ("mesos.v1.master.Call", {"type": "GET_METRICS", "get_metrics": {"timeout": {"nanoseconds": 5000000000}}}),
    ("mesos.v1.agent.ProcessIO", {"type": "DATA", "data": {"type": "STDOUT", "data": "aGVsbG8="}}),
    ("mesos.v1.executor.Call", {"executor_id": {"value": "e"}, "framework_id": {"value": "F"}, "type": "HEARTBEAT"}),
    ("isthmus.agent_link.MasterMessage", {"type": "KILL_TASK", "kill_task": {"framework_id": {"value": "F"}, "task_id": {"value": "t"}}}),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("mesos/v1/*.proto")) + sorted(ROOT.glob("isthmus/*.proto"))]
        if protoc.main(["protoc", f"-I{ROOT}", f"--python_out={out}", *files]) != 0:
            sys.exit("protoc failed")
        sys.path.insert(0, out)
        rows = [row(name, value) for name, value in MESSAGES]
    target = ROOT / "src" / "testdata" / "golden.json"
    target.write_text("[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in rows) + "\n]\n")


def row(name: str, value: dict) -> dict:
    message = message_class(name)()
    json_format.ParseDict(value, message)
    return {"message": name, "json": json.dumps(value, ensure_ascii=False), "hex": message.SerializeToString(deterministic=True).hex()}


def message_class(name: str):
    package = next(prefix for prefix in ("mesos.v1.scheduler", "mesos.v1.master", "mesos.v1.agent", "mesos.v1.executor", "isthmus.agent_link", "mesos.v1") if name.startswith(prefix + "."))
    module = {"mesos.v1": "mesos.v1.mesos_pb2", "isthmus.agent_link": "isthmus.agent_link_pb2"}.get(package, package + "_pb2")
    found = importlib.import_module(module)
    for part in name[len(package) + 1:].split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    main()
