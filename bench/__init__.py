"""What the product's figures are: commands that measure it and print tables. Nothing of the product imports this."""
