"""JSON columns whose content has a type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.fields.json import KeyTransform

Shape = TypeVar("Shape")

if TYPE_CHECKING:
    _JSONField = models.JSONField[Shape, Shape]
else:

    class _JSONField(models.JSONField):
        """Django's has a type only for the checker."""

        def __class_getitem__(cls, shape: Any) -> type:
            return cls


class StructField(_JSONField[Shape], Generic[Shape]):
    """A JSON column that is read and written as one msgspec type: a struct, or a list or dict of them.

    What is written must be of the type. What is read may be of another version: a key that is missing takes
    its default, one that the type does not know is passed over. Lookups work as on any JSON column.

    Migrations see a plain `JSONField`: a change of the struct is no change of the table.
    """

    def __init__(self, shape: type[Shape], **options: Any) -> None:
        self.shape = shape
        self._decoder = msgspec.json.Decoder(shape)
        super().__init__(**options)

    def deconstruct(self) -> tuple[str, str, Any, dict[str, Any]]:
        name, _, args, options = super().deconstruct()
        if isinstance(options.get("default"), type) and options["default"] is not list:
            options["default"] = dict
        return name, "django.db.models.JSONField", args, options

    def clone(self) -> StructField[Shape]:
        _, _, _, options = super().deconstruct()
        return type(self)(self.shape, **options)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None or isinstance(expression, KeyTransform):
            return super().from_db_value(value, expression, connection)
        return self._decoder.decode(value)

    def to_python(self, value: Any) -> Any:
        if value is None:
            return None
        try:
            return self._checked(value)
        except msgspec.ValidationError as error:
            raise ValidationError(str(error)) from error

    def _checked(self, value: Any) -> Shape:
        # A struct does not look at what it is made of.
        return msgspec.convert(msgspec.to_builtins(value), self.shape)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return super().get_db_prep_value(msgspec.to_builtins(value), connection, prepared)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is not None and not hasattr(value, "as_sql"):
            self._checked(value)
        return super().get_db_prep_save(value, connection)

    def value_to_string(self, obj: models.Model) -> Any:
        return msgspec.to_builtins(super().value_to_string(obj))
