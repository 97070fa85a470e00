"""The product's figures: commands that measure it and print tables. Nothing of the product imports this."""
