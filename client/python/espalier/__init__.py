"""Client of Espalier, a verifier of neural networks that runs as a service.

    import espalier

    with espalier.connect() as client:                       # a private server; or connect("host:50551")
        verification = client.verify("net.onnx", "property.vnnlib", timeout=60)
        for event in verification:                           # as they come
            print(event)
        result = verification.result()                       # or this alone
        if result.answer == "sat":
            print(result.witness.inputs)

Models and queries are paths, bytes or file-like objects, so that io.BytesIO from torch.onnx.export works as well;
gzip-compressed ones are unpacked. A str is always a path: pass the text of a query as bytes.
"""

from espalier.client import Client, Verification, connect
from espalier.credentials import Credentials
from espalier.errors import EspalierError, InvalidInput, NotAllowed, ServerBusy, ServerUnavailable, UnsupportedModel
from espalier.models import StoredModel
from espalier.result import Accepted, Event, Progress, Refuted, Result, Witness

__all__ = [
    "Accepted",
    "Client",
    "Credentials",
    "EspalierError",
    "Event",
    "InvalidInput",
    "NotAllowed",
    "Progress",
    "Refuted",
    "Result",
    "ServerBusy",
    "ServerUnavailable",
    "StoredModel",
    "UnsupportedModel",
    "Verification",
    "Witness",
    "connect",
]
