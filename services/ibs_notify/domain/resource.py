"""A resource has two spellings and one meaning; rules and attachments compare the canonical one."""

from __future__ import annotations

import re

_NAMED = re.compile(r"([A-Za-z0-9_.-]+):(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_SLASHES = re.compile(r"/{2,}")


def canonical(resource: str) -> str:
    """``NAME:rest`` becomes ``/datastore/NAME/rest``; what starts with ``/`` stays; slashes fold.

    Case counts. A text of neither spelling is kept as it is, so that nothing an emitter wrote is
    lost and ``=`` rules still find it. A trailing slash is dropped, since it names the same place.
    """
    if not resource:
        return ""
    if resource[0] != "/":
        named = _NAMED.fullmatch(resource)
        if named is None:
            return resource
        resource = f"/datastore/{named[1]}/{named[2]}"
    if "//" in resource:
        resource = _SLASHES.sub("/", resource)
    if len(resource) > 1 and resource[-1] == "/":
        resource = resource[:-1]
    return resource


def meant(resource: str) -> str:
    """What somebody means who types ``resource``: a name alone is the datastore of that name.

    Else it is as in ``canonical``. Not for what emitters write.
    """
    return f"/datastore/{resource}" if _NAME.fullmatch(resource) else canonical(resource)


def is_under(resource: str, prefix: str) -> bool:
    """Whether canonical ``resource`` is ``prefix`` or below it, by whole path segments."""
    if prefix == "/":
        return resource.startswith("/")
    return resource == prefix or resource.startswith(prefix + "/")


def ancestors(resource: str) -> list[str]:
    """Every prefix that canonical ``resource`` is under, itself among them."""
    found = [resource]
    slash = resource.find("/")
    if slash == 0:
        found.append("/")
    while slash >= 0:
        found.append(resource[:slash])
        slash = resource.find("/", slash + 1)
    return found


def datastore_of(resource: str) -> str:
    """The datastore's name in a canonical resource, or an empty string."""
    parts = resource.split("/", 3)
    return parts[2] if len(parts) > 2 and parts[1] == "datastore" else ""
