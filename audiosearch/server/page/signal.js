// The page's whole reactive core: a value that others follow. Frameworks do more than this page needs.

export function signal(value) {
  const followers = new Set();
  const tell = () => {
    for (const follower of [...followers]) follower(value);
  };
  return {
    get value() {
      return value;
    },
    set value(next) {
      if (next === value) return;
      value = next;
      tell();
    },
    tell, // after a change inside the value
    // Call `follower` now and after each change; the answer ends it.
    follow(follower) {
      followers.add(follower);
      follower(value);
      return () => followers.delete(follower);
    },
  };
}
