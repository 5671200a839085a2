"""Products in the admin, with the drops that they are in."""

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse

from shop.admin.products import ProductAdmin
from shop.admin.refusals import refusal_page
from shop.models import Product


@admin.register(Product)
class ProductWithDropsAdmin(ProductAdmin):
    """A product that is in a drop can't be deleted."""

    list_display = (*ProductAdmin.list_display, "drop_count")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).annotate(drop_count=Count("drops", distinct=True))

    @admin.display(description="drops")
    def drop_count(self, product: Any) -> int:
        return int(product.drop_count)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete a product that isn't in a drop; for others, show why they can't be deleted."""
        product: Any = self.get_object(request, object_id)
        if product is not None and product.drop_count and self.has_view_permission(request, product):
            why = f"“{product}” is in a drop, so it can't be deleted. If the drop is a draft, delete that first."
            return refusal_page(request, admin_site=self.admin_site, about=product, why=[why])
        return super().delete_view(request, object_id, extra_context)
