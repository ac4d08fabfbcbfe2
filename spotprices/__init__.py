"""Spot prices in files, for whoever has them: cloudtop and the rehearsal cloud."""
