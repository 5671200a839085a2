"""The catalogue: products, their variants and their pictures.

Product 1─* Variant          one row per thing that can be bought, with its options ({"size": "M"})
Product 1─* Picture 1─* Rendition
"""

from functools import cached_property

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.safestring import SafeString

from shop.core import theme_css
from shop.core.models import Alert, AuditEntry, ClockReading, Email  # noqa: F401  # Django looks for an app's models here

COLOUR = RegexValidator(
    rf"^{theme_css.COLOUR.pattern}\Z", "Enter a colour such as #d8b04c: # and six digits 0–9, a–f."
)


class Product(models.Model):
    """A thing that is released in drops, and the theme of its pages."""

    class Face(models.TextChoices):
        """The display typefaces that a drop's name can be set in."""

        HOST_GROTESK = "host-grotesk", "Host Grotesk"
        ABRIL_FATFACE = "abril-fatface", "Abril Fatface"
        ARCHIVO_BLACK = "archivo-black", "Archivo Black"
        OVERPASS = "overpass", "Overpass"
        BARLOW_CONDENSED = "barlow-condensed", "Barlow Condensed"

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=50, unique=True)
    tagline = models.CharField(max_length=160, help_text="One line about it.")
    story = models.TextField(help_text="Plain text. An empty line starts a new paragraph.")
    facts = models.TextField(blank=True, help_text="Materials, dimensions, weight.")
    ground = models.CharField("background colour", max_length=7, default="#efe9dc", validators=[COLOUR])
    ink = models.CharField("text colour", max_length=7, default="#1c1a17", validators=[COLOUR])
    signal = models.CharField("accent colour", max_length=7, default="#b23200", validators=[COLOUR])
    face = models.CharField("display typeface", max_length=20, choices=Face, default=Face.HOST_GROTESK)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One thing that can be bought: a product in one size, finish, …"""

    product = models.ForeignKey(Product, models.CASCADE, related_name="variants")
    sku = models.CharField("SKU", max_length=40, unique=True)
    options = models.JSONField(
        default=dict,
        blank=True,
        help_text='What tells it apart from the other variants, such as {"size": "M"}.',
    )
    swatch = models.CharField(max_length=7, blank=True, validators=[COLOUR])
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.product.name} {self.name}".strip()

    @property
    def name(self) -> str:
        """The values of its options ("M, gold"); empty for the only variant of a product."""
        return ", ".join(str(value) for value in self.options.values())


class Picture(models.Model):
    """A picture of a product or of one of its variants. `image` is the JPEG that every browser can show."""

    class Role(models.TextChoices):
        HERO = "hero", "hero"
        DETAIL = "detail", "detail"
        WIDE = "wide", "wide"

    product = models.ForeignKey(Product, models.CASCADE, related_name="pictures")
    variant = models.ForeignKey(Variant, models.SET_NULL, null=True, blank=True, related_name="pictures")
    role = models.CharField(max_length=10, choices=Role, default=Role.HERO)
    image = models.ImageField(upload_to="pictures/", width_field="width", height_field="height")
    width = models.PositiveIntegerField(editable=False, default=0)
    height = models.PositiveIntegerField(editable=False, default=0)
    alt = models.CharField(
        "alternative text", max_length=300, help_text="Describe the picture for somebody who can't see it."
    )
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt

    @cached_property
    def markup(self) -> dict[tuple[str, bool], SafeString]:
        """The <picture> elements rendered so far, because several pages show a product that is in memory."""
        return {}


class Rendition(models.Model):
    """A picture in another width or format (AVIF, WebP), made in advance."""

    picture = models.ForeignKey(Picture, models.CASCADE, related_name="renditions")
    image = models.FileField(upload_to="pictures/")
    type = models.CharField(max_length=20)  # media type
    width = models.PositiveIntegerField()

    class Meta:
        ordering = ["type", "width"]
        constraints = [
            models.UniqueConstraint(
                fields=["picture", "type", "width"], name="one_rendition_per_picture_type_and_width"
            )
        ]

    def __str__(self) -> str:
        return f"{self.image.name} {self.width}w"


class RemovedFile(models.Model):
    """A picture's file that no page shows any more. A worker deletes it later; see shop.picture_files."""

    name = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
