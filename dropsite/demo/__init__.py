"""The demo shop: three objects and a spare, whose pictures lie in deploy/demo/pictures/."""
