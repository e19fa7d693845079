
BoutputJ(QtÂûÒ§Â ÄDm¾C8µC0šÂ¨›ÃO³-ÄáRCÔ…ŒÂ