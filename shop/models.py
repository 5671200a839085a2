"""The catalogue: products, their variants and their pictures; where the shop ships, taxes and legal texts.

Product 1─* Variant          one row per thing that can be bought, with its options ({"size": "M"})
Product 1─* Picture 1─* Rendition
ShippingZone 1─* ZoneCountry, ShippingRate
"""

from functools import cached_property

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.safestring import SafeString

from shop.core import theme_css
from shop.core.models import Alert, AuditEntry, ClockReading, Email, QueueSuccess  # noqa: F401  # Django looks for an app's models here

COLOUR = RegexValidator(
    rf"^{theme_css.COLOUR.pattern}\Z", "Enter a colour such as #d8b04c: # and six digits 0–9, a–f."
)


class TaxClass(models.TextChoices):
    """The kinds of goods that a country may tax at different rates."""

    STANDARD = "standard"
    REDUCED = "reduced"
    SECOND_REDUCED = "second reduced"
    ZERO = "zero"


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
    tax_class = models.CharField(
        max_length=20, choices=TaxClass, default=TaxClass.STANDARD, db_default=TaxClass.STANDARD
    )
    # Product safety (Art. 19 of Regulation (EU) 2023/988).
    manufacturer = models.TextField(
        blank=True, default="", db_default="", help_text="Name, postal address and email or web address."
    )
    responsible_person = models.TextField(
        "responsible person in the EU",
        blank=True,
        default="",
        db_default="",
        help_text="If the manufacturer is outside the EU: name, postal address and email or web address.",
    )
    identification = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text="Type, batch or serial number."
    )
    warnings = models.TextField("warnings and safety information", blank=True, default="", db_default="")

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
    weight_grams = models.PositiveIntegerField(
        "weight in grams",
        null=True,
        blank=True,
        help_text="Packed. Needed where shipping is priced by weight.",
    )
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


class ShippingZone(models.Model):
    """Countries with the same price of shipping, by a parcel's weight or by its goods' price."""

    class Basis(models.TextChoices):
        WEIGHT = "weight"
        PRICE = "price"

    name = models.CharField(max_length=40, unique=True)
    basis = models.CharField("priced by", max_length=6, choices=Basis, default=Basis.PRICE)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class ZoneCountry(models.Model):
    """A country that the shop ships to. A country is in one zone at most."""

    zone = models.ForeignKey(ShippingZone, models.CASCADE, related_name="countries")
    country = models.CharField(max_length=2, unique=True)  # ISO 3166-1 alpha-2

    class Meta:
        ordering = ["country"]
        verbose_name_plural = "zone countries"
        constraints = [
            models.CheckConstraint(
                name="a_country_has_two_capital_letters", condition=Q(country__regex=r"^[A-Z]{2}$")
            )
        ]

    def __str__(self) -> str:
        return self.country


class ShippingRate(models.Model):
    """The price of shipping one order to a zone, in one currency, for one band of weight or price."""

    zone = models.ForeignKey(ShippingZone, models.CASCADE, related_name="rates")
    currency = models.CharField(max_length=3)
    # Up to and including so many grams, or so much for the goods in the smallest unit. Null: any.
    up_to = models.PositiveBigIntegerField(null=True, blank=True)
    amount = models.PositiveBigIntegerField()  # in the currency's smallest unit

    class Meta:
        ordering = ["zone", "currency", F("up_to").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "currency", "up_to"], name="one_shipping_rate_per_band", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.zone} {self.currency}"


class TaxRate(models.Model):
    """A country's tax on one class of goods that are shipped there. No row: an export, at 0 %."""

    country = models.CharField(max_length=2)  # ISO 3166-1 alpha-2
    tax_class = models.CharField(max_length=20, choices=TaxClass, default=TaxClass.STANDARD)
    percent = models.DecimalField(max_digits=6, decimal_places=3)
    included = models.BooleanField(
        "included in prices",
        default=True,
        help_text="Prices shown to this country contain the tax. If not, it is added at the checkout.",
    )

    class Meta:
        ordering = ["country", "tax_class"]
        constraints = [
            models.UniqueConstraint(
                fields=["country", "tax_class"], name="one_tax_rate_per_country_and_class"
            ),
            models.CheckConstraint(
                name="a_tax_rate_is_a_percentage", condition=Q(percent__gte=0, percent__lt=100)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.tax_class} {self.percent} %"


class LegalText(models.Model):
    """A text that the law asks for, on a page of its own."""

    class Kind(models.TextChoices):
        IMPRINT = "imprint"
        TERMS = "terms", "terms and conditions"
        WITHDRAWAL = "withdrawal", "notice on the right of withdrawal"
        PRIVACY = "privacy", "privacy policy"
        ACCESSIBILITY = "accessibility", "accessibility statement"

    kind = models.CharField(max_length=13, choices=Kind)
    language = models.CharField(max_length=35, default="en")
    text = models.TextField(help_text="Plain text. An empty line starts a new paragraph.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["kind", "language"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="one_legal_text_per_kind_and_language")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.language})"
