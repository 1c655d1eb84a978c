//! Each fault: the text that has it, the sentence that reports it, and the nearest text that is right.

use crate::support::Place;

/// `bad` gives exactly the faults in `said`; `good` gives none.
struct Case {
    good: &'static str,
    bad: &'static str,
    said: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        good: "[server]\nlisten = \"[::1]:8000\"\n",
        bad: "[server]\nlisten = \"localhost\"\n",
        said: &["c.toml:2: server.listen: \"localhost\" is no address with a port.\n  Write an IP address and a port"],
    },
    Case {
        good: "[server]\noperations_listen = \"same\"\n",
        bad: "[server]\n\n\noperations_liste = \"same\"\n",
        said: &[
            "c.toml:4: server.operations_liste: unknown key \"operations_liste\".\n  Write \"operations_listen\" if",
        ],
    },
    Case {
        good: "[limits]\nfragments_max = 2\n",
        bad: "[limit]\nfragments_max = 2\n",
        said: &["c.toml:1: limit: unknown section \"limit\".\n  Write \"limits\" if"],
    },
    Case {
        good: "[log]\nlevel = \"debug\"\nformat = \"json\"\n",
        bad: "[log]\nlevel = \"loud\"\nformat = 3\n",
        said: &[
            "c.toml:2: log.level: \"loud\" is not known here.\n  Write one of \"error\", \"warn\"",
            "c.toml:3: log.format: expected one word in quotes, found a whole number.",
        ],
    },
    Case {
        good: "[server]\norigins = [\"https://a.example\", \"http://localhost:3000\"]\n",
        bad: "[server]\norigins = [\n  \"*\",\n  \"https://a.example/\",\n  \"https://A.example\",\n]\n",
        said: &[
            "c.toml:3: server.origins: \"*\" would let every site in.",
            "c.toml:4: server.origins: \"https://a.example/\" is not an exact origin.",
            "c.toml:5: server.origins: \"https://A.example\" is not an exact origin.",
        ],
    },
    Case {
        good: "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n",
        bad: "[server]\ntrusted_proxies = [\"10.0.0.0/33\", 7]\n",
        said: &[
            "c.toml:2: server.trusted_proxies: \"10.0.0.0/33\" is no range of addresses.",
            "c.toml:2: server.trusted_proxies: expected a range of addresses in quotes, found a whole number.",
        ],
    },
    Case {
        good: "[server]\nlisten = \"0.0.0.0:8000\"\noperations_listen = \"127.0.0.1:8001\"\n",
        bad: "[server]\nlisten = \"0.0.0.0:8000\"\noperations_listen = \"127.0.0.1:8000\"\n",
        said: &["c.toml:3: server.operations_listen: 127.0.0.1:8000 is taken by server.listen."],
    },
    Case {
        good: "[tokens]\nlifetime = \"45m\"\nleeway = \"60s\"\n",
        bad: "[tokens]\nlifetime = 30\nleeway = \"61s\"\n",
        said: &[
            "c.toml:2: tokens.lifetime: expected a length of time in quotes, found a whole number.",
            "c.toml:3: tokens.leeway: \"61s\" is outside the bounds.\n  Write a number and its unit (ms, s, m, h, d), from 0s to 1m",
        ],
    },
    Case {
        good: "[tokens]\nissuer = \"lychgate\"\n",
        bad: "[tokens]\nissuer = \"lychgate-dev\"\n",
        said: &["c.toml:2: tokens.issuer: \"lychgate-dev\" belongs to --dev."],
    },
    Case {
        good: "[limits]\nmessage_bytes_max = 65536\nheaders_max = 100\n",
        bad: "[limits]\nmessage_bytes_max = \"17MiB\"\nheaders_max = -1\nqueue_slices_max = \"many\"\nqueue_bytes_max = \"1MB\"\n",
        said: &[
            "c.toml:2: limits.message_bytes_max: this number of bytes is outside the bounds.\n  Write a number of bytes, or a number with KiB or MiB in quotes, from 125B to 16MiB",
            "c.toml:3: limits.headers_max: -1 is outside the bounds.\n  Write a whole number from 8 to 1000",
            "c.toml:4: limits.queue_slices_max: expected a whole number, found text.",
            "c.toml:5: limits.queue_bytes_max: \"1MB\" is no number of bytes.",
        ],
    },
    Case {
        good: "[limits]\nmessage_bytes_max = \"1MiB\"\nqueue_bytes_max = \"1026KiB\"\n",
        bad: "[limits]\nmessage_bytes_max = \"1MiB\"\nqueue_bytes_max = \"1MiB\"\n",
        said: &["c.toml:2: limits.message_bytes_max: a message of 1MiB does not fit a queue of 1MiB"],
    },
    Case {
        good: "[limits]\nqueue_bytes_max = \"128KiB\"\n[endpoint.e]\nkind = \"echo\"\nmessage_bytes_max = \"100KiB\"\n",
        bad: "[limits]\nqueue_bytes_max = \"128KiB\"\n[endpoint.e]\nkind = \"echo\"\nmessage_bytes_max = \"16MiB\"\n",
        said: &[
            "c.toml:5: endpoint.e.message_bytes_max: a message of 16MiB does not fit a queue of 128KiB (limits.queue_bytes_max): its receivers would be closed as too slow.\n  Lower it, or raise limits.queue_bytes_max to 16386KiB",
        ],
    },
    Case {
        good: "[limits]\nbatch_bytes_max = \"1MiB\"\n",
        bad: "[limits]\nbatch_bytes_max = \"2MiB\"\n",
        said: &["c.toml:2: limits.batch_bytes_max: a batch of 2MiB does not fit a queue of 1MiB."],
    },
    Case {
        good: "[limits]\nqueue_bytes_max = \"66KiB\"\n",
        bad: "[limits]\nqueue_bytes_max = \"65KiB\"\n",
        said: &["c.toml:2: limits.message_bytes_max: a message of 64KiB does not fit a queue of 65KiB"],
    },
    Case {
        good: "[limits]\nping_interval = \"10s\"\n",
        bad: "[limits]\nping_interval = \"9s\"\n",
        said: &["c.toml:2: limits.pong_timeout: 10s is longer than 9s (limits.ping_interval)"],
    },
    Case {
        good: "[server]\ndrain_total = \"27s\"\n",
        bad: "[server]\ndrain_total = \"26s\"\n",
        said: &["c.toml:2: server.drain_spread: 27s is longer than 26s (server.drain_total)"],
    },
    Case {
        good: "[endpoint.a]\npath = \"/a\"\n[endpoint.b]\npath = \"/b\"\n",
        bad: "[endpoint.a]\npath = \"/a\"\n[endpoint.b]\npath = \"/a\"\n[endpoint.c]\npath = \"/token\"\n",
        said: &[
            "c.toml:4: endpoint.b.path: /a is taken by endpoint.a.path.",
            "c.toml:6: endpoint.c.path: /token is taken by login.path.",
        ],
    },
    Case {
        good: "[endpoint.a]\npath = \"/metrics\"\n",
        bad: "[server]\noperations_listen = \"same\"\n[endpoint.a]\npath = \"/metrics\"\n[login]\npath = \"/health/in\"\n",
        said: &[
            "c.toml:4: endpoint.a.path: /metrics is the server's own",
            "c.toml:6: login.path: /health/in is the server's own",
        ],
    },
    Case {
        good: "[endpoint.ws]\npath = \"/a/b-c\"\n",
        bad: "[endpoint.ws]\npath = \"ws\"\n[endpoint.x]\npath = \"/a b\"\n[endpoint.\"q r\"]\npath = \"/q\"\n",
        said: &[
            "c.toml:2: endpoint.ws.path: \"ws\" is not a path of this server.",
            "c.toml:4: endpoint.x.path: \"/a b\" is not a path",
            "c.toml:5: endpoint.q r: \"q r\" is not a name.",
        ],
    },
    Case {
        good: "[endpoint.ws]\ncredentials = [\"header\", \"query:access_token\"]\nchannel = \"room:1\"\n",
        bad: "[endpoint.ws]\ncredentials = [\"cookie\", \"query:\"]\nchannel = \"a room\"\n",
        said: &[
            "c.toml:2: endpoint.ws.credentials: \"cookie\" is no place for a credential.\n  Write \"query:NAME\"",
            "c.toml:2: endpoint.ws.credentials: \"query:\" is no place for a credential.",
            "c.toml:3: endpoint.ws.channel: \"a room\" is no channel name.",
        ],
    },
    Case {
        good: "[endpoint.a]\npath = \"/a/{x}\"\n[endpoint.b]\npath = \"/a/b\"\n[route.p]\nkind = \"publish\"\nendpoint = \"b\"\npath = \"/p\"\n[route.h]\nkind = \"history\"\nendpoint = \"b\"\npath = \"/p\"\n",
        bad: "[endpoint.a]\npath = \"/a/{x}\"\n[endpoint.b]\npath = \"/a/{y:int}\"\n[route.f]\npath = \"/a/{z}\"\nbody = 1\n[route.g]\npath = \"/token\"\nkind = \"publish\"\nendpoint = \"a\"\n[endpoint.c]\npath = \"/{user}\"\n",
        said: &[
            "endpoint.a.path: /a/{x} is taken by route.f.path.",
            "endpoint.b.path: /a/{y} is taken by route.f.path.",
            "route.g.path: /token is taken by login.path.",
            "endpoint.c.path: \"/{user}\": {user} means something else in templates: choose another name.",
        ],
    },
    Case {
        good: "[server]\norigins = [\"https://a.example\"]\n[ticket]\nenabled = true\n[endpoint.ws]\ncredentials = [\"cookie:c\", \"ticket:t\", \"subprotocol-b64:x\"]\nsubprotocols = [\"y\"]\n",
        bad: "[endpoint.ws]\ncredentials = [\"cookie:c\"]\n[endpoint.x]\npath = \"/x\"\ncredentials = [\"ticket:t\"]\n[endpoint.y]\npath = \"/y\"\ncredentials = [\"subprotocol-b64:x\"]\n",
        said: &[
            "endpoint.ws.credentials: browsers send a cookie whichever page asks, and no origin is listed that may.",
            "endpoint.x.credentials: it takes tickets, and this server gives none.",
            "endpoint.y.subprotocols: a browser gives up when none of its subprotocols is answered",
        ],
    },
    Case {
        good: "[source.app]\nurl = \"http://127.0.0.1:1\"\nsecret = \"4f0c8a1e9b7d2c6a5e3f1b0d8c7a6e5f\"\n[board.b]\n[endpoint.ws]\npath = \"/ws/{a:int}/{b}\"\nchannel = \"c:{a}:{b}\"\nboard = \"b\"\nforward = \"app\"\nidentity = { path_user = \"b\" }\n",
        bad: "[source.app]\nurl = \"ftp://x\"\n[endpoint.ws]\npath = \"/ws/{a:int}/{b}\"\nchannel = \"c:{b}:{a}\"\nboard = \"b\"\nforward = \"ap\"\nidentity = { path_user = \"c\", anonymous = \"x\" }\npolicy = { rule = \"owner\" }\n[endpoint.s]\npath = \"/s\"\nkind = \"stream\"\n",
        said: &[
            "source.app.url: this is no address of anything that can be asked.",
            "endpoint.ws.channel: \"c:{b}:{a}\": {b} may hold anything, so nothing can stand behind it.",
            "endpoint.ws.board: there is no board \"b\".",
            "endpoint.ws.forward: there is no source \"ap\".",
            "endpoint.ws.identity.path_user: the path /ws/{a:int}/{b} has no parameter \"c\".",
            "endpoint.ws.identity.anonymous: nobody vouches for a visitor without a token",
            "endpoint.s.stream.source: it is missing.",
            "endpoint.s.stream.request: it is missing.",
        ],
    },
    Case {
        good: "[endpoint.m]\nkind = \"channels\"\npath = \"/m\"\n[namespace.n]\nchannel = \"n:{x}\"\nhistory_size = 1\nhistory_durable = true\npolicy = { rule = \"any\" }\n",
        bad: "[endpoint.m]\nkind = \"channels\"\npath = \"/m\"\n[namespace.n]\nchannel = \"n:{x}\"\nhistory_durable = true\npolicy = { rule = \"any\" }\n",
        said: &[
            "c.toml:6: namespace.n.history_durable: nothing is kept that could outlive the server.\n  Write a history_size, such as 100, or remove history_durable.",
        ],
    },
    Case {
        good: "[endpoint.ws]\nprofile = \"mine\"\n[profile.mine]\n",
        bad: "[endpoint.ws]\nprofile = \"mime\"\n[profile.mine]\n",
        said: &[
            "c.toml:2: endpoint.ws.profile: there is no profile \"mime\".\n  Write [profile.mime], or use one of: mine, default.",
        ],
    },
    Case {
        good: "[endpoint.ws.codec]\nstamp = { who = \"user.id\", at = \"now.iso\" }\nbad_frame = \"close\"\n",
        bad: "[endpoint.ws.codec]\nstamp = { who = \"user.nam\", at = \"now.iso\", n = 1 }\nbad_frame = \"explode\"\nanswer_ping = \"yes\"\n",
        said: &[
            "c.toml:2: endpoint.ws.codec.stamp.who: \"user.nam\" is not known here.\n  Write one of \"user.name\", \"user.id\", \"now.unix\", \"now.iso\", \"uuid\".",
            "c.toml:2: endpoint.ws.codec.stamp.n: expected one word in quotes, found a whole number.",
            "c.toml:3: endpoint.ws.codec.bad_frame: \"explode\" is not known here.",
            "c.toml:4: endpoint.ws.codec.answer_ping: expected true or false, found text.",
        ],
    },
    Case {
        good: "[profile.p]\nrefusal = \"http\"\nmissing = [4999, \"\"]\ndefault = [1014, \"x\"]\n",
        bad: "[profile.p]\nmissing = [1005, \"no\"]\ninvalid = [5000, \"no\"]\nexpired = [2999, \"no\"]\nuser = [4001]\nslow = \"slow\"\nmising = [4001, \"\"]\n",
        said: &[
            "c.toml:2: profile.p.missing: a close frame may not carry the code 1005.",
            "c.toml:3: profile.p.invalid: a close frame may not carry the code 5000.",
            "c.toml:4: profile.p.expired: a close frame may not carry the code 2999.",
            "c.toml:5: profile.p.user: expected a number and a text.",
            "c.toml:6: profile.p.slow: expected [code, \"reason\"], found text.",
            "c.toml:7: profile.p.mising: unknown key \"mising\".\n  Write \"missing\" if",
        ],
    },
    Case {
        good: "[login]\nbody = \"any\"\nfield = \"e-mail\"\nidentify_by = [\"email\", \"name\"]\nsubject = \"id\"\n",
        bad: "[login]\nbody = \"xml\"\nfield = \"password\"\nidentify_by = []\nsubject = \"uuid\"\n",
        said: &[
            "c.toml:2: login.body: \"xml\" is not known here.\n  Write one of \"form\", \"json\", \"any\"",
            "c.toml:3: login.field: \"password\" is a field of its own.",
            "c.toml:4: login.identify_by: this list is empty.\n  Write at least one of: \"name\", \"email\"",
            "c.toml:5: login.subject: \"uuid\" is not known here.\n  Write one of \"name\", \"id\", \"email\"",
        ],
    },
    Case {
        good: "[login]\nfield = \"email\"\nidentify_by = [\"email\"]\nclaims = [\"id\", \"level\"]\nreturn_user = [\"id\", \"x-y_z\"]\n",
        bad: "[login]\nfield = \"a b\"\nidentify_by = [\"email\", \"email\"]\nclaims = [\"sub\", \"a.b\"]\nreturn_user = [\"id\", \"id\"]\n",
        said: &[
            "c.toml:2: login.field: \"a b\" is no name of a field.",
            "c.toml:3: login.identify_by: \"email\" is there twice.",
            "c.toml:4: login.claims: the server itself writes the claim \"sub\".\n  Remove it; what becomes \"sub\" is login.subject",
            "c.toml:4: login.claims: \"a.b\" is no field of an account.",
            "c.toml:5: login.return_user: \"id\" is there twice.",
        ],
    },
    Case {
        good: "[login]\nincorrect = \"No.\"\ndisabled = [401, \"Closed\"]\ntell_disabled = false\nreturn_expires_in = false\n",
        bad: "[login]\nincorrect = \" \"\ndisabled = [404, \"Closed\"]\ntell_disabled = \"no\"\nreturn_user = [\"_proto\"]\n",
        said: &[
            "c.toml:2: login.incorrect: this is blank, too long or holds a control character.",
            "c.toml:3: login.disabled: 404 is no status of a refused login.\n  Use 401 or 403",
            "c.toml:4: login.tell_disabled: expected true or false, found text.",
            "c.toml:5: login.return_user: \"_proto\" is no field of an account.",
        ],
    },
    Case {
        good: "[login]\ndisabled = [403, \"Closed\"]\n",
        bad: "[login]\ndisabled = \"Closed\"\ndev_path = \"/in\"\n",
        said: &[
            "c.toml:2: login.disabled: expected [status, \"text\"], found text.",
            "c.toml:3: login.dev_path: whoever knows an e-mail address would be logged in without a password.\n  Remove it, or start with --dev",
        ],
    },
    Case {
        good: "[login]\npath = \"/in\"\n",
        bad: "[login]\npath = \"/in\"\ndev_path = \"/in\"\ndisabled = [403]\n",
        said: &[
            "c.toml:3: login.dev_path: /in is taken by login.path.",
            "c.toml:4: login.disabled: expected a number and a text.",
        ],
    },
    Case {
        good: "[database]\nurl = \"sqlite:x.db\"\n",
        bad: "[database]\nurl = \"postgres://u:p@h/x\"\n",
        said: &["c.toml:2: database.url: this is not a database this server can open."],
    },
    Case {
        good: "[server]\nworkers = 2\n",
        bad: "server = 2\nlog = \"x\"\nendpoint = true\n",
        said: &[
            "c.toml:1: server: expected a section, found a whole number.\n  Write [server]",
            "c.toml:2: log: expected a section, found text.",
            "c.toml:3: endpoint: expected sections, found true or false.\n  Write [endpoint.NAME]",
        ],
    },
    Case {
        good: "[server]\nworkers = 2\n",
        bad: "[server]\nworkers = \n[log]\nlevel = nope\n[log]\n",
        said: &[
            "c.toml:2: this is not valid TOML",
            "c.toml:4: this is not valid TOML",
            "c.toml:5: this is not valid TOML",
        ],
    },
];

#[test]
fn every_fault_is_told_at_once_with_place_and_remedy() {
    for Case { good, bad, said } in CASES {
        let place = Place::with(&[("c.toml", good)]);
        let ran = place.run(&["config", "check", "--config", "c.toml"]);
        assert_eq!(ran.code, 0, "the control of {said:?} is refused:\n{}", ran.err);

        std::fs::write(place.path.join("c.toml"), bad).unwrap();
        let ran = place.run(&["config", "check", "--config", "c.toml"]).expect(2);
        for sentence in *said {
            assert!(ran.err.contains(sentence), "not said: {sentence}\n--- of\n{bad}\n--- said\n{}", ran.err);
        }
        assert_eq!(faults_in(&ran.err), said.len(), "of\n{bad}\n--- said\n{}", ran.err);
        assert_eq!(ran.out, "");
    }
}

#[test]
fn a_server_does_not_start_on_a_fault() {
    let place = Place::with(&[("c.toml", "[server]\nlisten = 1\nworkers = -1\n")]);
    let ran = place.run(&["serve", "--config", "c.toml"]).expect(2);
    assert_eq!(faults_in(&ran.err), 2, "{}", ran.err);
}

#[test]
fn faults_of_several_files_name_their_file() {
    let place = Place::with(&[("a.toml", "[server]\nworkers = -1\n"), ("b.toml", "\n[log]\nlevel = 1\n")]);
    let ran = place.run(&["config", "check", "--config", "a.toml", "--config", "b.toml"]).expect(2);
    let (a, b) = (ran.err.find("a.toml:2: server.workers"), ran.err.find("b.toml:3: log.level"));
    assert!(a.is_some() && a < b, "{}", ran.err);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let place = Place::new();
    let ran = place.run(&["config", "check", "--config", "gone.toml", "--config", "lost.toml"]).expect(2);
    assert!(ran.says("cannot read gone.toml") && ran.says("cannot read lost.toml"), "{}", ran.err);
    let ran = place.run(&["serve"]).expect(2);
    assert!(ran.says("lychgate.toml cannot be read") && ran.says("--dev"), "{}", ran.err);
    std::fs::write(place.path.join("lychgate.toml"), "[endpoint.ws]\n").unwrap();
    place.run(&["config", "check"]).expect(0);
}

/// Faults are paragraphs after the heading.
fn faults_in(printed: &str) -> usize {
    printed.trim_end().split("\n\n").count() - 1
}
