"""A workspace's own prices, which stand before the ones that the project ships."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Workspace
from apps.core.models import Timestamped

_NOT_NEGATIVE = [MinValueValidator(0)]


class Price(Timestamped):
    """What one model costs from one day until before another, in USD per million tokens.

    An empty rate is charged like the one it is part of: cached input and cache writes like input, reasoning
    like output, a batch like a single call.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="prices")
    provider = models.CharField(max_length=60, blank=True, help_text="Empty: whoever serves it.")
    model = models.CharField(
        max_length=120, help_text="As the calls name it; a date at its end may be left out."
    )
    input = models.FloatField(validators=_NOT_NEGATIVE)
    output = models.FloatField(validators=_NOT_NEGATIVE)
    cached_input = models.FloatField(null=True, blank=True, validators=_NOT_NEGATIVE)
    cache_write = models.FloatField(null=True, blank=True, validators=_NOT_NEGATIVE)
    reasoning = models.FloatField(null=True, blank=True, validators=_NOT_NEGATIVE)
    batch_input = models.FloatField(null=True, blank=True, validators=_NOT_NEGATIVE)
    batch_output = models.FloatField(null=True, blank=True, validators=_NOT_NEGATIVE)
    valid_from = models.DateField(null=True, blank=True, help_text="Empty: always before.")
    valid_until = models.DateField(
        null=True, blank=True, help_text="The first day on which it no longer holds. Empty: still valid."
    )
    source = models.CharField(
        max_length=200, help_text="Where the figure stands: contract, invoice, list price."
    )
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "provider", "model", "valid_from"],
                nulls_distinct=False,
                name="one_price_per_day_of_a_model",
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_until__gt=F("valid_from")),
                name="price_ends_after_it_begins",
            ),
        ]
