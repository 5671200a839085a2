"""The demo shop: four products with their pictures, two people for the admin, and what is pre-scaled."""
