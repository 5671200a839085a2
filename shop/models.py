"""The catalogue: products, their variants and their pictures.

Product 1─* Variant          one row per thing that can be bought, with its axes ({"size": "M"})
Product 1─* Picture 1─* Rendition
"""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from shop.core.models import Alert, AuditEntry, Email  # noqa: F401  # Django looks for an app's models here

COLOUR = RegexValidator(r"^#[0-9a-f]{6}$", _("Write the colour as # and six digits 0–9 a–f, for example #d8b04c."))


class Product(models.Model):
    """A thing that is released in drops, and how its pages look."""

    class Face(models.TextChoices):
        """The display faces that are there; one sets the name of the drop and nothing else."""

        HOST_GROTESK = "host-grotesk", "Host Grotesk"
        ABRIL_FATFACE = "abril-fatface", "Abril Fatface"
        ARCHIVO_BLACK = "archivo-black", "Archivo Black"
        OVERPASS = "overpass", "Overpass"
        BARLOW_CONDENSED = "barlow-condensed", "Barlow Condensed"

    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), max_length=50, unique=True)
    claim = models.CharField(_("one line about it"), max_length=160)
    story = models.TextField(_("story"), help_text=_("Plain text; an empty line starts a paragraph."))
    facts = models.TextField(_("facts"), blank=True, help_text=_("Materials, measures, weight."))
    ground = models.CharField(_("ground"), max_length=7, default="#efe9dc", validators=[COLOUR])
    ink = models.CharField(_("ink"), max_length=7, default="#1c1a17", validators=[COLOUR])
    signal = models.CharField(_("signal"), max_length=7, default="#b23200", validators=[COLOUR])
    face = models.CharField(_("typeface of the name"), max_length=20, choices=Face, default=Face.HOST_GROTESK)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One thing that can be bought: a product in one size, finish, …"""

    product = models.ForeignKey(Product, models.CASCADE, related_name="variants")
    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    axes = models.JSONField(
        _("axes"), default=dict, blank=True, help_text=_('What tells it from the others, such as {"size": "M"}.')
    )
    swatch = models.CharField(_("swatch"), max_length=7, blank=True, validators=[COLOUR])
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.product.name} {self.name}".strip()

    @property
    def name(self) -> str:
        """The values of its axes ("M", "gold"), or nothing for the only variant of a product."""
        return ", ".join(str(value) for value in self.axes.values())


class Picture(models.Model):
    """A picture of a product or of one of its variants; `image` is the JPEG that every browser can show."""

    class Role(models.TextChoices):
        HERO = "hero", _("hero")
        DETAIL = "detail", _("detail")
        WIDE = "wide", _("wide")

    product = models.ForeignKey(Product, models.CASCADE, related_name="pictures")
    variant = models.ForeignKey(Variant, models.SET_NULL, null=True, blank=True, related_name="pictures")
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.HERO)
    image = models.ImageField(_("image"), upload_to="pictures/", width_field="width", height_field="height")
    width = models.PositiveIntegerField(editable=False, default=0)
    height = models.PositiveIntegerField(editable=False, default=0)
    alt = models.CharField(
        _("alternative text"), max_length=300, help_text=_("What someone who can't see it should know.")
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt


class Rendition(models.Model):
    """A picture in another width or format (AVIF, WebP), made beforehand."""

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
