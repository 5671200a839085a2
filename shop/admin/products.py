"""Products with their variants and pictures on one page."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminFileWidget
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from PIL.Image import Image as PictureImage

from shop import picture_files, renditions
from shop.admin.base import AuditedAdmin, BaseInlineFormSet, ModelForm, TabularInline
from shop.admin.options import OptionsField
from shop.models import Picture, Product, Variant


class VariantForm(ModelForm[Variant]):
    options = OptionsField()

    class Meta:
        model = Variant
        fields = ("sku", "options", "swatch", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            # It never changes, because orders, pages and the status of a running drop refer to it.
            self.fields["sku"].disabled = True


class VariantFormSet(BaseInlineFormSet[Variant, Product, ModelForm[Variant]]):
    def clean(self) -> None:
        """Refuse two variants with the same options."""
        super().clean()
        seen: set[frozenset[tuple[str, str]]] = set()
        for form in self.forms:
            if form.cleaned_data.get("DELETE") or not form.cleaned_data.get("sku"):
                continue
            options = frozenset(form.cleaned_data.get("options", {}).items())
            if options in seen:
                form.add_error("options", "Another variant has the same options. Change one of them.")
            seen.add(options)


class VariantInline(TabularInline[Variant, Product]):
    model = Variant
    form = VariantForm
    formset = VariantFormSet
    extra = 0
    min_num = 1
    verbose_name_plural = "variants (what can be bought)"


class PictureField(forms.FileField):
    """An upload, read as shop.renditions reads it; what isn't a usable picture is refused with a reason."""

    widget = AdminFileWidget

    def clean(self, data: Any, initial: Any = None) -> Any:
        found = super().clean(data, initial)
        if not isinstance(found, UploadedFile):
            return found
        try:
            return Upload(renditions.read(file=found, size=found.size or 0))
        except renditions.PictureRefused as refusal:
            raise ValidationError(str(refusal)) from refusal


@dataclass(frozen=True)
class Upload:
    """A picture that was uploaded just now."""

    image: PictureImage

    def __str__(self) -> str:
        return f"uploaded, {self.image.width} × {self.image.height}"


class PictureForm(ModelForm[Picture]):
    image = PictureField()

    class Meta:
        model = Picture
        fields = ("image", "role", "alt", "position")

    def clean(self) -> dict[str, Any]:
        """Put the JPEG in the place of what was uploaded."""
        cleaned = super().clean() or self.cleaned_data
        self.upload = None
        if isinstance(cleaned.get("image"), Upload):
            self.upload = cleaned["image"]
            cleaned["image"] = renditions.main_file(self.upload.image)
        return cleaned

    def save(self, commit: bool = True) -> Picture:
        replaced = self.initial.get("image")
        picture = super().save(commit)
        if commit and self.upload is not None:
            if replaced:
                picture_files.note_removed(str(replaced))
            renditions.store(picture=picture, image=self.upload.image)
        return picture


class PictureInline(TabularInline[Picture, Product]):
    model = Picture
    form = PictureForm
    fields = ("preview", "image", "role", "alt", "size", "position")
    readonly_fields = ("preview", "size")
    extra = 0

    @admin.display(description="")
    def preview(self, picture: Picture) -> str:
        if not picture.image:
            return ""
        return format_html('<img class="desk-preview" src="{}" alt="">', picture.image.url)

    @admin.display(description="size")
    def size(self, picture: Picture) -> str:
        return f"{picture.width} × {picture.height}" if picture.width else ""


class ProductAdmin(AuditedAdmin[Product]):
    """The page of a product. drops.admin registers it, and adds the drops that a product is in."""

    list_display: tuple[str, ...] = ("name", "slug", "variant_count")
    search_fields = ("name", "slug", "variants__sku")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (VariantInline, PictureInline)
    fieldsets = (
        (None, {"fields": ("name", "slug", "tagline", "story", "facts")}),
        ("Theme of its pages", {"fields": (("ground", "ink", "signal"), "face")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).annotate(variant_count=Count("variants", distinct=True))

    @admin.display(description="variants")
    def variant_count(self, product: Any) -> int:
        return int(product.variant_count)
