"""Turns KOS and gRPC errors into messages: what failed, at which address, what to check."""

from typing import Any

ERROR_CODES = {
    0: 'unknown error',
    1: 'not implemented by this server',
    2: 'invalid argument',
    3: 'hardware failure',
    4: 'timed out on the bus',
    5: 'not authorised',
}
"""kos.common.ErrorCode."""

_MAX_TEXT = 200
"""Characters of a server's own text that are shown."""


def format_error(error: Any) -> str:
    """Return the message for a kos.common.Error."""
    code = ERROR_CODES.get(error.code, f'error code {error.code}')
    text = _clean(error.message)
    return f'{code}: {text}' if text else code


def format_rpc_error(error: Any, what: str, address: str, seconds: float) -> str:
    """
    Return the message for a failed call.

    :param error: a grpc.RpcError with `code()` and `details()`.
    :param what: description of the call.
    :param seconds: its deadline.
    """
    code = error.code().name
    details = _clean(error.details() or '')
    if code == 'DEADLINE_EXCEEDED':
        return (
            f'{what}: no answer from {address} within {1000 * seconds:.0f} ms: KOS hangs or is '
            'stopped there, or the network is slow or drops packets (check with ping)'
        )
    if code == 'UNAVAILABLE':
        return f'{what}: {_format_unavailable(details, address)}'
    if code == 'UNIMPLEMENTED':
        return (
            f'{what}: {address} answers, but has no such service: is it a KOS server, and is this '
            'its port (50051 by default)?'
        )
    if code in ('INTERNAL', 'UNKNOWN', 'NOT_FOUND', 'INVALID_ARGUMENT'):
        return f'{what}: the KOS server at {address} failed ({code}): {details or "no reason"}'
    return f'{what}: {address} answers {code}: {details or "no reason"}'


def _format_unavailable(details: str, address: str) -> str:
    lower = details.lower()
    if 'resol' in lower or 'dns' in lower or 'name or service' in lower:
        return (
            f'cannot find the host of {address}: check the spelling of kos_host, or give its IP '
            f'address ({details})'
        )
    if 'refused' in lower:
        return (
            f'nothing listens at {address}: is KOS running on the robot, and is kos_port right '
            '(50051 by default)?'
        )
    if 'handshake' in lower or 'ssl' in lower or 'tls' in lower or 'certificate' in lower:
        return f'no TLS connection to {address}: check kos_tls and the certificates ({details})'
    return (
        f'cannot reach {address}: is the robot switched on and in the same network, and no '
        f'firewall between? ({details})'
    )


def _clean(text: str) -> str:
    """Return one line of printable characters of limited length: a server may send any text."""
    line = ' '.join(text.split())
    return ''.join(c for c in line if c.isprintable())[:_MAX_TEXT]
