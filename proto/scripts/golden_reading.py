"""Writes src/testdata/reading.json: odd bytes beside what Google's protobuf for Python makes of them.

    python3 -m venv VENV && VENV/bin/pip install grpcio-tools
    VENV/bin/python proto/scripts/golden_reading.py

`written` is how Google's implementation writes the message it has read, "missing" when the message lacks required fields, and null when the
bytes are no message. Run it again when the cases below change.
"""

import importlib
import json
import pathlib
import sys
import tempfile

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).parent.parent
CALL = "mesos.v1.scheduler.Call"
MAX_VARINT = "ffffffffffffffffff01"


def field(number: int, wire_type: int, payload: str) -> str:
    """One field; of length-delimited ones the length is put in front."""
    length = varint(len(payload) // 2) if wire_type == 2 else ""
    return varint(number << 3 | wire_type) + length + payload


def varint(value: int) -> str:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return (out + bytes([value])).hex()


def text(value: str) -> str:
    return value.encode().hex()


def nested(depth: int) -> str:
    """A ContainerID with so many parents."""
    payload = field(1, 2, text("c"))
    for _ in range(depth):
        payload = field(1, 2, text("c")) + field(2, 2, payload)
    return payload


def entry(key: str, value: str) -> str:
    return field(1, 2, text(key)) + field(2, 2, value)


TASK_START = field(1, 2, text("n")) + field(2, 2, field(1, 2, text("t"))) + field(3, 2, field(1, 2, text("s")))
ONE, TWO = field(1, 1, "000000000000f03f"), field(1, 1, "0000000000000040")

CASES = [
    ("no bytes are a message without required fields", CALL, ""),
    ("no bytes are no message with required fields", "mesos.v1.FrameworkID", ""),
    ("of several values the last one counts", "mesos.v1.FrameworkID", field(1, 2, text("a")) + field(1, 2, text("b"))),
    ("parts of a message are merged", "mesos.v1.TaskInfo", TASK_START + field(7, 2, field(3, 2, text("ls")) + field(7, 2, text("a"))) + field(7, 2, field(5, 2, text("me")) + field(7, 2, text("b")))),
    ("a required field may come in a later part", CALL, field(3, 2, field(1, 2, field(1, 2, text("u")))) + field(3, 2, field(1, 2, field(2, 2, text("n"))))),
    ("a required field that comes in no part is missing", CALL, field(3, 2, field(1, 2, field(1, 2, text("u")))) + field(3, 2, field(1, 2, field(1, 2, text("v"))))),
    ("of a oneof the last field counts", "mesos.v1.scheduler.AttributeConstraint.Selector", field(1, 0, "01") + field(2, 2, text("rack"))),
    ("of a oneof the last field counts, the other way round", "mesos.v1.scheduler.AttributeConstraint.Selector", field(2, 2, text("rack")) + field(1, 0, "01")),
    ("messages in a oneof replace each other", "mesos.v1.scheduler.AttributeConstraint.Predicate", field(1, 2, "") + field(3, 2, field(1, 2, text("v")))),
    ("a list may be packed", "mesos.v1.HealthCheck.HTTPCheckInfo", field(1, 0, "50") + field(4, 2, varint(200) + varint(204))),
    ("a list may be packed in part", "mesos.v1.HealthCheck.HTTPCheckInfo", field(1, 0, "50") + field(4, 0, "01") + field(4, 2, "0203") + field(4, 0, "04")),
    ("a packed list may be empty", "mesos.v1.HealthCheck.HTTPCheckInfo", field(1, 0, "50") + field(4, 2, "")),
    ("a number may not end behind its packed list", "mesos.v1.HealthCheck.HTTPCheckInfo", field(1, 0, "50") + field(4, 2, "c8") + "01"),
    ("an unknown number of an enum is kept", CALL, field(2, 0, "63")),
    ("an unknown negative number of an enum is kept", CALL, field(2, 0, MAX_VARINT)),
    ("unknown numbers in a list of enums are kept", "mesos.v1.CapabilityInfo", field(1, 0, varint(1000)) + field(1, 0, "63") + field(1, 0, varint(1001))),
    ("unknown numbers in a packed list of enums are kept", "mesos.v1.CapabilityInfo", field(1, 2, varint(1000) + "63" + varint(1001) + varint(99999))),
    ("fields nobody knows are kept behind the known ones", "mesos.v1.FrameworkID", field(99, 0, "05") + field(1, 2, text("a")) + field(98, 2, text("x")) + field(97, 1, "0102030405060708") + field(96, 5, "01020304")),
    ("groups nobody knows are kept", "mesos.v1.FrameworkID", field(1, 2, text("a")) + field(50, 3, field(1, 0, "01") + field(2, 3, "") + field(2, 4, "")) + field(50, 4, "")),
    ("a group that does not end is refused", "mesos.v1.FrameworkID", field(1, 2, text("a")) + field(50, 3, field(1, 0, "01"))),
    ("a group that ends as another is refused", "mesos.v1.FrameworkID", field(1, 2, text("a")) + field(50, 3, "") + field(51, 4, "")),
    ("an end of a group without a start is refused", "mesos.v1.FrameworkID", field(1, 2, text("a")) + field(50, 4, "")),
    ("a field of another wire type is kept as unknown", CALL, field(2, 2, text("x")) + field(2, 0, "01")),
    ("a required field of another wire type is missing", "mesos.v1.FrameworkID", field(1, 0, "01")),
    ("field number 0 is refused", CALL, "0001"),
    ("wire type 7 is refused", CALL, "0f01"),
    ("a message may not end within a field", "mesos.v1.FrameworkID", "0a0361"),
    ("a message may not end within a tag", CALL, "80"),
    ("a message may not end behind the one that holds it", CALL, "0a030a0361620a0161"),
    ("int64 has its smallest value", "mesos.v1.TimeInfo", field(1, 0, "80808080808080808001")),
    ("int64 has its largest value", "mesos.v1.TimeInfo", field(1, 0, "ffffffffffffffff7f")),
    ("uint64 has its largest value", "mesos.v1.Value.Range", field(1, 0, "00") + field(2, 0, MAX_VARINT)),
    ("integers beyond 2^53 keep every digit", "mesos.v1.TimeInfo", field(1, 0, varint(2**53 + 1))),
    ("an integer may have needless zeros", "mesos.v1.TimeInfo", field(1, 0, "858080808000")),
    ("a negative int32 has ten bytes", "mesos.v1.CheckStatusInfo.Command", field(1, 0, MAX_VARINT)),
    ("of an int32 that is too long the low bits count", "mesos.v1.CheckStatusInfo.Command", field(1, 0, varint(2**40 + 7))),
    ("any number but 0 is true", "mesos.v1.FrameworkInfo", field(1, 2, "") + field(2, 2, "") + field(5, 0, "05")),
    ("an entry of a map may have its value first", "mesos.v1.quota.QuotaConfig", field(1, 2, text("r")) + field(2, 2, field(2, 2, ONE) + field(1, 2, text("cpus")))),
    ("of entries of a map with one key the last one counts", "mesos.v1.quota.QuotaConfig", field(1, 2, text("r")) + field(2, 2, entry("cpus", ONE)) + field(2, 2, entry("cpus", TWO))),
    ("an entry of a map without a key has the empty one", "mesos.v1.quota.QuotaConfig", field(1, 2, text("r")) + field(2, 2, field(2, 2, ONE))),
    ("an entry of a map may have any key", "mesos.v1.quota.QuotaConfig", field(1, 2, text("r")) + field(2, 2, entry("__proto__", ONE))),
    ("an entry of a map may not end behind its message", "mesos.v1.quota.QuotaConfig", field(1, 2, text("r")) + "12ff01" + entry("cpus", ONE)),
    ("messages may be nested 99 deep", "mesos.v1.ContainerID", nested(99)),
    ("messages may not be nested 101 deep", "mesos.v1.ContainerID", nested(101)),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("mesos/v1/*.proto")) + sorted(ROOT.glob("isthmus/*.proto"))]
        if protoc.main(["protoc", f"-I{ROOT}", f"--python_out={out}", *files]) != 0:
            sys.exit("protoc failed")
        sys.path.insert(0, out)
        for path in files:
            importlib.import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")
        rows = [{"title": title, "message": name, "hex": data, "written": written(name, data)} for title, name, data in CASES]
    target = ROOT / "src" / "testdata" / "reading.json"
    target.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def written(name: str, data: str) -> str | None:
    message = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))()
    try:
        message.ParseFromString(bytes.fromhex(data))
    except DecodeError:
        return None
    return message.SerializeToString(deterministic=True).hex() if message.IsInitialized() else "missing"


if __name__ == "__main__":
    main()
