from soak.soak import main

main()
