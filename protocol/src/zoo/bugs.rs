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
    SentFloorClearedLate: "D8", "`sent_floor` is cleared after the attachment id is stored";
    DeliveredNotCompared: "bug", "what was delivered and not consumed is not compared with what was sent";
    ReadyTellsTheFuture: "bug", "over shared memory Ready tells as sent what it is about to show";
    AttachmentsInWrongOrder: "D6", "`current` is stored before `previous`";
    PreviousFromOldCurrent: "D6", "`previous` is taken from the old `current` and not from what the client showed";
    PreviousClearedBeforeReady: "D6", "over shared memory a frame from before Ready ends the doubt about the attachment";
    UnconfirmedUnchecked: "D6", "an unconfirmed file is resumed whatever the server holds of it";
    NonceNotCompared: "D10", "a file is taken for the peer's memory without the nonce of the login";
    DisputeIgnored: "D44", "a server does not hear that the client found its positions wrong";
    ResetWithoutToken: "D33", "a link is reset by a Confirm whose token is void";
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
}
