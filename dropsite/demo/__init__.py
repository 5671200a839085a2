"""The demo shop: three objects and a spare, whose pictures lie in dropsite/demo/pictures/."""
