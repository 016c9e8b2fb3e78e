"""State as plain data: what snapshots keep and state hashes cover.

A class names the attributes that make up its state, like a line of a datasheet:

    class Timer(Saved):
        saved = ("count", "running")

`Saved.get_state` gives them as `State`, `Saved.set_state` takes them back. An attribute may be a number, text, bytes, a
flat container of these, an array, an enum, a dataclass of all these, something `Saved`, or a list or dictionary of
`Saved`. Where the present value does not tell what may come back, because it is sometimes None or an empty list of
dataclasses, the class says so:

    class Sequencer(Saved):
        saved = ("pc", "loops")
        saved_types = {"loops": list[HardwareLoop]}

Wiring (clocks, lines, callbacks) and what can be found again from the rest are not state.
"""

from __future__ import annotations

import types
import typing
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np

State = Any
"""None, bool, int, float, str, bytes, or lists and dictionaries (keys: all int or all str) of these."""


class Saved:
    """Base of what has state.

    Attributes:
        saved: names of the attributes that make it up; those of base classes come first.
        saved_types: types of those whose present value does not tell.
    """

    saved: ClassVar[tuple[str, ...]] = ()
    saved_types: ClassVar[Mapping[str, Any]] = {}

    def get_state(self) -> dict[str, State]:
        """The state as plain data, a copy. Raises TypeError if an attribute is not plain data."""
        return {name: plain(getattr(self, name)) for name in saved_names(type(self))}

    def set_state(self, state: Mapping[str, State]) -> None:
        """Take back what `get_state` of an object of the same class gave."""
        for name in saved_names(type(self)):
            if name in self.saved_types:
                value = rebuilt(self.saved_types[name], state[name])
            else:
                value = restored(getattr(self, name), state[name])
            setattr(self, name, value)


def saved_names(kind: type[Saved]) -> tuple[str, ...]:
    """Names of all attributes that make up the state of a class."""
    return tuple(name for base in reversed(kind.__mro__) for name in vars(base).get("saved", ()))


def plain(value: Any) -> State:
    """A value as `State`. Raises TypeError if that cannot be done."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, Saved):
        return value.get_state()
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple, deque)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a {type(value).__name__} is not plain data: a snapshot cannot keep it")


def restored(old: Any, state: State) -> Any:
    """What takes the place of the value ``old``: ``old`` itself with its state, or a new value of the same kind.

    Raises:
        TypeError: ``old`` does not tell what the state is.
    """
    if isinstance(old, Saved):
        old.set_state(state)
        return old
    if isinstance(old, np.ndarray):
        old[...] = np.frombuffer(state, old.dtype).reshape(old.shape)
        return old
    if isinstance(old, Enum):
        return type(old)(state)
    if isinstance(old, dict) and any(isinstance(item, Saved) for item in old.values()):
        for key, item in old.items():
            item.set_state(state[plain(key)])
        return old
    if isinstance(old, dict):
        old.clear()
        old.update(state)
        return old
    if is_dataclass(old) and not isinstance(old, type):
        return _restored_dataclass(old, state)
    if isinstance(old, (list, tuple)) and any(isinstance(item, Saved) for item in old):
        for item, part in zip(old, state, strict=True):
            item.set_state(part)
        return old
    if isinstance(state, dict) or (isinstance(state, list) and any(isinstance(item, dict) for item in state)):
        raise TypeError(f"a {type(old).__name__} does not tell what its state means: say it in saved_types")
    return type(old)(state) if isinstance(old, (list, tuple, deque, set, frozenset)) else state


def _restored_dataclass(old: Any, state: Mapping[str, State]) -> Any:
    """Others may hold a dataclass that can change: it stays the same object."""
    if old.__dataclass_params__.frozen:
        return rebuilt(type(old), state)
    for field in fields(old):
        setattr(old, field.name, restored(getattr(old, field.name), state[field.name]))
    return old


def rebuilt(kind: Any, state: State) -> Any:
    """A new value of a type, as annotations write it, from its state.

    Of a union, that member counts that has the fields of the state.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return rebuilt(_member(arguments, state), state)
    if origin is list:
        return [rebuilt(arguments[0], item) for item in state]
    if origin is tuple:
        kinds = arguments[:1] * len(state) if arguments[-1] is ... else arguments
        return tuple(rebuilt(kind, item) for kind, item in zip(kinds, state, strict=True))
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: rebuilt(hints[name], value) for name, value in state.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(state)
    return state


def _member(members: tuple[Any, ...], state: State) -> Any:
    """The member of a union that a state belongs to. Raises TypeError if there is none."""
    for member in members:
        names = {field.name for field in fields(member)} if is_dataclass(member) else None
        if names == (set(state) if isinstance(state, dict) else None) and (member is types.NoneType) == (state is None):
            return member
    raise TypeError(f"no type of {members} has this state")
