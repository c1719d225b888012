//! What can be put back. The rows are those of `docs/defects.md`, and `docs/bugs.md` for what was once found
//! in this code.

macro_rules! bugs {
    ($($name:ident: $row:literal, $what:literal;)*) => {
        /// A known defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Bug {
            $(#[doc = concat!($row, ": ", $what, ".")] $name,)*
        }

        impl Bug {
            /// All there are.
            pub const ALL: &[Bug] = &[$(Bug::$name),*];

            /// The row of the defect list, or `bug` for one that was found in this code.
            pub const fn row(self) -> &'static str {
                match self { $(Bug::$name => $row,)* }
            }

            /// What is wrong.
            pub const fn what(self) -> &'static str {
                match self { $(Bug::$name => $what,)* }
            }
        }
    };
}

bugs! {
    // The queue and recovery.
    AckInTwoStores: "D2", "an acknowledgement stores the low byte of the word before the rest";
    ConsumeBeforeReply: "D3", "a request is consumed in a store of its own before its reply is published";
    MagicFirst: "D6", "a link file has its magic before it has anything else";
    ConsumeByPlace: "D11", "consuming takes all that was delivered, not the message that is given";
    ConsumedOverHeld: "D11", "a later message is consumed over one that is held";
    NextPlaceNotZeroed: "D13", "the place behind a frame is not zeroed";
    LapTag: "D13", "a tag that says which lap a frame belongs to stands in for the zero behind the last one";
    ClaimKeepsZeroed: "D13", "an abandoned claim leaves behind as zeroed what it has written to";
    AckedBeforeConsumed: "D14", "the consumption that a frame tells is stored after `acked` has passed the frame";
    ConsumedNotRaised: "D14", "opening leaves the `consumed` word below what the last frame tells";
    OlderAckInBatch: "D14", "the later frames of a batch tell the consumption of before the batch";
    HeadersAscending: "D15", "the first header of a batch is there before the others";
    AckFreesBytesBeingWritten: "D17", "an acknowledgement frees the bytes of a frame that is half written";
    CursorMasked: "D70", "a cursor inside a frame is masked as if it were the start of one";
    AdditionWraps: "D23", "the sum that decides whether a frame fits wraps around";
    RecoveryWritesFirst: "D26", "opening clears the `consumed` word and stores it again";
    FloorNotChecked: "D27", "a walk that ends below the floor is believed";
    MarkNotChecked: "D27", "a frame's mark is not compared";
    WalkWithoutBound: "D43", "a walk that ends below the floor goes on over zeros";
    LimitNotEnforced: "D45", "a message larger than the peer takes is committed";
    FitOffByEight: "D49", "a frame fits without the zero word behind it";
    PaddingNotZeroed: "D39", "the bytes behind a payload are what an earlier lap left there";

    // Login.
    StoredBeforeChecked: "D4", "a client stores the attachment of a Ready before it has checked it";
    SessionNotCompared: "D7", "session ids are not compared";
    AttachmentNotCompared: "D8", "attachment ids are not compared";
    TailForSent: "D8", "the tail is told as what was sent";
    SentFloorNotUsed: "D8", "what was sent is taken to be the tail at every opening";
    SentFloorOutlives: "D8", "`sent_floor` is believed under a later attachment than that it was taken under";
    SentFloorClearedEarly: "bug", "`sent_floor` is cleared in a store before that of the attachment id";
    DeliveredNotCompared: "bug", "what was delivered and not consumed is not compared with what was sent";
    UnheardCountsAsSent: "bug", "what went out on a connection whose Ready was lost counts as sent to a client at the login before";
    ReadyTellsTheFuture: "bug", "over shared memory Ready tells as sent what it is about to show";
    AttachmentsInWrongOrder: "D6", "`current` is stored before `previous`";
    PreviousFromOldCurrent: "D6", "`previous` is taken from the old `current` and not from what the client showed";
    PreviousClearedBeforeReady: "D6", "over shared memory a frame from before Ready ends the doubt about the attachment";
    UnconfirmedUnchecked: "D6", "an unconfirmed file is resumed whatever the server holds of it";
    NonceNotCompared: "D10", "a file is taken for the peer's memory without the nonce of the login";
    DisputeIgnored: "D44", "a server does not hear that the client found its positions wrong";
    ResetWithoutToken: "D33", "a link is reset by a Confirm whose token is void";
    ChallengeNotCompared: "bug", "a login that somebody says again is taken for its client's";
    StrangerFences: "D50", "a live link gives way to somebody with another history";
    OtherSessionAttached: "bug", "a session attaches to a login that was about another one";
    VersionNotCompared: "D41", "any version of the login is taken for one's own";
    NamesNotChecked: "D40", "any bytes are a name";

    // The stream.
    ResentFramesDelivered: "D16", "frames that were consumed are delivered again when they come again";
    AckJudgedByCursor: "D17", "an acknowledgement is judged by what this connection has sent";
    LengthZeroTaken: "D29", "a frame of length 0 is whole, and takes no bytes";
    AckBeyondTail: "D30", "an acknowledgement of what was never committed is believed";
    AckInsideFrame: "D31", "an acknowledgement may point inside a frame";
    ControlLengthNotChecked: "D32", "a control frame may have any length";
    WindowNotChecked: "D36", "a peer may send more than its ring holds";
    AcksNotReadWhenFull: "D46", "nothing is read while the ring is full and messages are held";
    AcksOnlyRide: "D47", "an acknowledgement waits for a message or a heartbeat";
    ControlInsideFrame: "D48", "a control frame goes out in the middle of a half-written frame";
    PartialFrameIsLife: "bug", "each look at an incomplete frame is a sign of life";
    EarlierTimeLengthensSilence: "D51", "a clock that goes back lengthens the silence";
    TransmittedTwice: "bug", "what the host says was written moves the cursor, however often it says so";
    NotWokenToSpeak: "bug", "a host that has written everything is not woken for the heartbeat";
    WokenBehindClose: "bug", "a host is woken to speak behind the last frame of a connection";
    OtherDirection: "bug", "a position of one direction is taken for one of the other";
    UndeliveredConsumed: "D11", "a position that was never delivered is consumed";
    DroppedBatchConsumes: "bug", "a message given to a batch that was dropped is forgotten";
    BatchMiscounted: "bug", "a batch that finds no room names its last frame, not the whole";
    StalledWhileConsuming: "bug", "a side is called stalled while it consumes";
    BehindSinceStale: "bug", "a peer is behind since before its last progress";

    // Shared memory.
    WordReadTwice: "D37", "a frame's first word is read again after it was checked";
    OldMappingRead: "D10", "a mapping is read past its owner's detach";
    ConsumptionPastConfirm: "bug", "what a peer consumed after its next Confirm is learned on the connection before";
    ControlAckFreesMemory: "bug", "an acknowledgement in a control frame frees what the peer may be reading";
    ReaderStartsAtTold: "D21", "after a change of carrier messages that were delivered are read again";

    RelaxedPublish: "D25", "a store that publishes does not release what was written before it";
    ParkedNotFenced: "D52", "a side that goes to sleep looks once more before its mark is there";
    PublishedNotFenced: "D52", "a side looks whether its peer sleeps before its message is there";
    LookAgainForgotten: "D52", "a side that goes to sleep does not look once more";
    RoomWakeForgotten: "D52", "a sleeping writer is not told of room";
    SleptThroughWake: "D52", "a side that read what woke it goes on sleeping";
    WokenAgainAndAgain: "D57", "a sleeping peer is sent a frame for each message";
    LastWordsUnheard: "bug", "a peer's reason is not read once its memory shows that it left";
    RemainderUnread: "bug", "what a peer that is gone had committed to shared memory is not read";

    // Link files.
    GeometryNotCompared: "D18", "a file made for other sizes is taken without a word";
    LockAfterReading: "D19", "a file is read before its lock is taken";
    LockLossUnnoticed: "D19", "a lock file that was removed under its holder goes unnoticed";
    NamesJoinedByUnderscore: "D20", "the names in a file name are joined by a character that names may hold";
    HolesNotFilled: "D53", "the space of a file that is opened is not reserved";
    UnfinishedIsDamage: "D59", "a file whose making was interrupted is taken for a damaged one";
    ModeFromUmask: "D61", "the umask decides who may read a file";
    KeptFileOverwritten: "D66", "a file kept earlier is overwritten";
    SwitchLeftUnfinished: "D66", "the second step of an interrupted switch is not made up for";
    LookingLocks: "D68", "looking at a file takes its lock";
    RestoreOverReplaced: "bug", "a file made again removes the old one of an interrupted switch";
    FailedCopyStays: "bug", "a failed attempt to make a file again leaves its copy";

    // The driver: logins.
    OpenedBeforeDecided: "D4", "a server opens a link file, and so changes it, before it has decided about the login";
    ShownToAnotherServer: "D5", "a client shows the session of one server to another";
    DenialIgnored: "D33", "a client that the host denies is let in";
    SlotTakenEarly: "D34", "a file is made for a login before it is decided";
    OldestKeepsItsPlace: "D35", "the oldest login in progress does not give way when places run out";
    CarrierUnasked: "D38", "shared memory is granted to whom did not wish for it";
    OlderLoginWins: "D50", "a Confirm of an abandoned connection takes over from its successor";
    DelayedConfirmAccepted: "D50", "a delayed Confirm is accepted when nothing is live";
    LeftBehindUntold: "D65", "what a link with another server still holds is not told";
    ProposalComesBack: "bug", "a delayed Confirm brings back a proposal that its client was told to forget";
    BurialMakesStale: "bug", "a refused proposal makes the other logins under its name stale";
    CopyNotNoticed: "bug", "a copy takes over from an original that has messages in hand";
    NothingKeptCounts: "bug", "a server that has nothing to keep is kept from a reset by what it kept before";
    TokenThrownAway: "bug", "a client that lost its files throws its leave to reset away";
    ProposedNonceDiffers: "bug", "the nonce in a proposed file is not the one that is told";
    TokensUnbounded: "bug", "each refused name leaves a token";
    FarewellsUnbounded: "bug", "refused connections that stay take places without a bound";
    NamelessRefusal: "bug", "a refused client that said its name is reported without it";

    // The driver: connections.
    FilesNotWatched: "D10", "a live link does not notice that its file was removed";
    BudgetNotKept: "D42", "one link is read for as long as it has input";
    ReadinessForgotten: "D52", "a link whose budget was spent waits for another event";
    EndWithLastBytesMissed: "D52", "an end that comes in one event with the last bytes is not looked for";
    InterruptedCallsFail: "D55", "a call that a signal interrupted ends the connection";
    AcceptSpins: "D55", "accepting without descriptors is tried again at once";
    PanicForgotten: "D56", "a connection whose handler panicked goes on";
    PlaceLostInPanic: "bug", "a handler that panics in `connected` takes a place with it";
    TimerLostInPanic: "bug", "a handler that panics over a timer takes the link's timer with it";
    RetryWithoutProgress: "D57", "a connection that brought nothing resets the back-off";
    NoJitter: "D64", "clients that lost the same server come back in step";
    NewestClosedFirst: "bug", "the session that was just opened is closed for lack of room";
    DetachedUnbounded: "bug", "sessions whose messages are held are kept open without a bound";
    SenderDoesNotWake: "D71", "a message of another thread does not wake the loop that owns its link";
    MailForgottenAfterBudget: "D71", "what a mailbox holds beyond the budget of a turn waits for another sender";
    RoomNotShared: "D71", "room that a mailbox waits for is told to the application only";
    LargeMailStarves: "D71", "an application takes all the room before it is enough for a large message of a mailbox";
    TicketsForgottenAtEnd: "D72", "what waits in a mailbox when its driver ends gets no outcome";
    OldFileFrees: "bug", "the file of a session that was reset, read through an old mapping, frees what is of the next";
    BackUntold: "bug", "a group does not tell that a link is back that it took leave of as its server ended";
    LeftWithoutFile: "bug", "a group that is dropped behind its server makes no removed file again";
    LentAmongOwn: "bug", "a link that a group has lent is polled with the server's own";
    StrangerFetches: "bug", "whoever says the name of a link has it fetched from its group";
    MoveOnForgotten: "bug", "a move onward from the server that is asked for on the way there is not made";
    MailStaysBehind: "bug", "a link moves without its mailbox";
    LostFileNotMadeAgain: "bug", "a session that is closed after its file was removed takes its messages with it";
}
