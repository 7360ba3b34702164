import Pyro5.api


@Pyro5.api.expose
@Pyro5.api.behavior(instance_mode="single")
class Counter:
    def __init__(self):
        self.count = 0

    def increment(self, by):
        self.count += by
        return self.count


daemon = Pyro5.api.Daemon(host="127.0.0.1")
print(daemon.register(Counter), flush=True)
daemon.requestLoop()
