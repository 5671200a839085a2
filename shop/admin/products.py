"""Products with their variants and pictures on one page."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminFileWidget
from django.core.exceptions import PermissionDenied, TooManyFilesSent, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from shop import images, picture_files, renditions
from shop.admin.base import AuditedAdmin, BaseInlineFormSet, ModelForm, TabularInline
from shop.admin.options import OptionsField
from shop.models import Picture, Product, Variant

if TYPE_CHECKING:
    BytesUpload = UploadedFile[bytes]
else:
    BytesUpload = UploadedFile  # generic only in its stubs

MAX_UPLOADS = 20  # pictures in one form


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


class PictureUpload(BytesUpload):
    """An upload, read and encoded as shop.renditions does it, or the reason why it can't be used."""

    def __init__(self, upload: BytesUpload) -> None:
        super().__init__(upload.file, upload.name, upload.content_type, upload.size)
        self.prepared: renditions.Prepared | None = None
        self.refusal = ""
        try:
            self.prepared = renditions.prepare(file=upload, size=upload.size or 0)
        except renditions.PictureRefused as refusal:
            self.refusal = str(refusal)


def prepare_uploads(request: HttpRequest) -> None:
    """Put prepared pictures in the place of a request's uploads, one after the other to bound the memory."""
    for number, (name, upload) in enumerate(request.FILES.items()):
        if number >= MAX_UPLOADS:
            raise TooManyFilesSent(f"more than {MAX_UPLOADS} pictures in one form")
        if isinstance(upload, UploadedFile):
            request.FILES[name] = PictureUpload(upload)


class PictureField(forms.FileField):
    """A prepared upload; what isn't a usable picture is refused with a reason."""

    widget = AdminFileWidget

    def clean(self, data: Any, initial: Any = None) -> Any:
        found = super().clean(data, initial)
        if isinstance(found, PictureUpload) and found.refusal:
            raise ValidationError(found.refusal)
        return found


class PictureForm(ModelForm[Picture]):
    image = PictureField()

    class Meta:
        model = Picture
        fields = ("image", "role", "alt", "position")

    def clean(self) -> dict[str, Any]:
        """Put the JPEG in the place of what was uploaded."""
        cleaned = super().clean() or self.cleaned_data
        self.prepared = None
        upload = cleaned.get("image")
        if isinstance(upload, PictureUpload) and upload.prepared is not None:
            self.prepared = upload.prepared
            cleaned["image"] = renditions.main_file(upload.prepared)
        return cleaned

    def save(self, commit: bool = True) -> Picture:
        replaced = self.initial.get("image")
        picture = super().save(commit)
        if commit and self.prepared is not None:
            if replaced:
                picture_files.note_removed(str(replaced))
            renditions.store(picture=picture, prepared=self.prepared)
        return picture


class PictureInline(TabularInline[Picture, Product]):
    model = Picture
    form = PictureForm
    fields = ("preview", "image", "role", "alt", "size", "position")
    readonly_fields = ("preview", "size")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Picture]:
        return super().get_queryset(request).prefetch_related("renditions")

    @admin.display(description="")
    def preview(self, picture: Picture) -> str:
        if not picture.image:
            return ""
        if not images.is_servable(picture):
            return "Being prepared."
        return format_html('<img class="backoffice-preview" src="{}" alt="">', picture.image.url)

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

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """Show or save the form. Uploads are encoded before the transaction that locks the product."""
        if request.method == "POST" and request.FILES:
            may_save = self.has_add_permission(request)
            if object_id is not None:
                may_save = self.has_change_permission(request)
            if not may_save:
                raise PermissionDenied
            prepare_uploads(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    @admin.display(description="variants")
    def variant_count(self, product: Any) -> int:
        return int(product.variant_count)
