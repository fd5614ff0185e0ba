"""When a module last changed: what was decided by how modules are holds for so long.

Whenever an attribute of any module is set to something else, or a submodule or a hook is added or taken away, `latest`
is made another object, right after the change. What was decided after a look at `latest` holds while it is the same.
"""

from __future__ import annotations

__all__ = ["latest"]

latest = object()
