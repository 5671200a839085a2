"""Products with their variants and pictures on one page."""

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

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


class PictureInline(TabularInline[Picture, Product]):
    model = Picture
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
