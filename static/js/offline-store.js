// What the device keeps (IndexedDB "collect"): `kept` (device, pending, sync), `rounds` by session, `slips` by device and number,
// `events` in order of making.
// `write` resolves only after the transaction completed on the disk; whoever says "saved" says it after that.

const NAME = "collect";
let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      const made = asked.result;
      made.createObjectStore("kept");
      made.createObjectStore("rounds", { keyPath: "session" });
      made.createObjectStore("slips", { keyPath: ["device", "number"] });
      made.createObjectStore("events", { keyPath: "id", autoIncrement: true });
    };
    asked.onerror = () => reject(asked.error);
    asked.onsuccess = () => {
      const opened = asked.result;
      opened.onversionchange = () => opened.close();
      opened.onclose = () => (opening = undefined);
      resolve(opened);
    };
  });
  opening.catch(() => (opening = undefined));
  return opening;
}

// `work` gets {get, all, put, add, remove}; it may await only those. Resolves to what `work` returns, once all of it is on the disk.
export async function write(stores, work) {
  return transact(await database(), stores, "readwrite", work);
}

export async function read(stores, work) {
  return transact(await database(), stores, "readonly", work);
}

function transact(opened, stores, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = opened.transaction(stores, mode, { durability: "strict" });
    let result;
    let failure;
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(failure ?? transaction.error ?? new DOMException("", "AbortError"));
    const ask = (store, act) =>
      new Promise((done, failed) => {
        const request = act(transaction.objectStore(store));
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
      });
    const hands = {
      get: (store, key) => ask(store, (s) => s.get(key)),
      all: (store) => ask(store, (s) => s.getAll()),
      put: (store, value, key) => ask(store, (s) => s.put(value, key)),
      add: (store, value) => ask(store, (s) => s.add(value)),
      remove: (store, key) => ask(store, (s) => s.delete(key)),
    };
    Promise.resolve(work(hands)).then(
      (value) => (result = value),
      (error) => {
        failure = error;
        try {
          transaction.abort();
        } catch {
          reject(error); // Already ended by the failure itself.
        }
      },
    );
  });
}

// Everything a screen needs, as of one moment.
export function look() {
  return read(["kept", "rounds", "slips", "events"], async ({ get, all }) => {
    const [device, sync, rounds, slips, events] = await Promise.all([
      get("kept", "device"), get("kept", "sync"), all("rounds"), all("slips"), all("events"),
    ]);
    return { device, sync: sync ?? {}, rounds, slips, events };
  });
}

// Whether there is room for the day: a page full of bytes is written, then taken away. False says: take no money.
export async function room() {
  try {
    await write(["kept"], ({ put }) => put("kept", "x".repeat(200_000), "probe"));
    await write(["kept"], ({ remove }) => remove("kept", "probe"));
    return true;
  } catch {
    return false;
  }
}

// Asks the browser not to clear this when the device runs low; it may say no, and nothing depends on its yes.
export function stay() {
  return navigator.storage?.persist?.().catch(() => false);
}
