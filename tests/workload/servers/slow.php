<?php
// A page that takes its time.
usleep(300000);
echo "done\n";
