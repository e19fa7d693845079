
BoutputJPóBÁ%GÀ¤8AÅZ÷?âô@ZÁŠ>OAq¿órÀYôÀÙPÁgL*ÀÁÜ+A‚‹Á?àÃ@³nÓÀ5š/AÂÞ‰ÀyV‡À¾¡i?